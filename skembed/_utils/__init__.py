"""Compilation, threads, interrupts, progress, memory, versions of scikit-learn."""
