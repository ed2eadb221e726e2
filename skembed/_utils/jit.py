"""The decorators through which every kernel is compiled.

Kernels are compiled lazily, release the GIL, create no arrays, keep NaN checks
(``fastmath=True`` would delete them) and are cached on disk. Numba keys its cache by
the file of the outermost function only, so an edit to a helper in another file would
leave a stale kernel behind, and it trusts what it reads. `_SealedFiles` seals each file
with a hash of its content and of all sources of compiled code. Files that are damaged,
or that were written by other sources, are ignored.
"""

import functools
import gc
import hashlib
import os
import uuid
from collections import defaultdict
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numba
import numpy as np
from llvmlite.ir import IRBuilder
from numba import _dynfunc, types
from numba.core import analysis, cgutils, ir, typed_passes, untyped_passes
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.callconv import CPUCallConv
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering

from skembed._utils.forks import TOO_EARLY, after_fork
from skembed._utils.interrupts import interruptible

# "contract" allows fused multiply-add and "reassoc" vectorised sums; "nnan" and
# "ninf" are left out on purpose.
FASTMATH = {"reassoc", "contract", "arcp", "nsz", "afn"}
COMPILED = not numba.config.DISABLE_JIT


def _sources_hash() -> str:
    """Hash every file that compiled code comes from."""
    here = Path(__file__).parent
    kernels = here.parent / "_kernels"
    digest = hashlib.sha256()
    for path in [here / "barrier.py", here / "jit.py", *sorted(kernels.glob("*.py"))]:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


SOURCES_HASH = _sources_hash()


def _seal(content: bytes) -> bytes:
    return hashlib.sha256(SOURCES_HASH.encode() + content).digest()


class _SealedFiles(IndexDataCacheFile):
    """The files of one kernel; they are read only if the seal at their end is right."""

    def _load_index(self):
        return super()._load_index() if _is_whole(self._index_path) else {}

    def _load_data(self, name):
        return super()._load_data(name) if _is_whole(self._data_path(name)) else None

    @contextmanager
    def _open_for_write(self, filepath):
        if os.path.isdir(filepath):
            # A file cannot be put in its place.
            os.rename(filepath, f"{filepath}.{uuid.uuid4().hex[:16]}")
        content = BytesIO()
        yield content
        with super()._open_for_write(filepath) as file:
            file.write(content.getvalue() + _seal(content.getvalue()))


def _is_whole(path: str) -> bool:
    try:
        content = Path(path).read_bytes()
    except OSError:
        return False
    size = len(content) - hashlib.sha256().digest_size
    return size >= 0 and _seal(content[:size]) == content[size:]


class _SealedCache(FunctionCache):
    """Numba's disk cache with sealed files."""

    def __init__(self, py_func):
        super().__init__(py_func)
        self._cache_file = _SealedFiles(
            self._cache_path,
            self._impl.filename_base,
            self._impl.locator.get_source_stamp(),
        )

    def save_overload(self, sig, data):
        """Save a compiled kernel; a full or read-only disk only costs the reuse."""
        try:
            super().save_overload(sig, data)
        except OSError:
            # The kernel in memory is complete: the next process compiles again.
            self.disable()


# Whether another thread compiled when this process was forked.
_forked_too_early = False
# Whether the garbage collector waits for a thread that compiles.
_is_collector_off = False


def _look_after_fork() -> None:
    global _forked_too_early
    if _is_collector_off:
        _start_collector()
    # The thread that holds it does not exist here, and so would hold it for ever.
    is_free = global_compiler_lock._lock.acquire(blocking=False)
    if is_free:
        global_compiler_lock._lock.release()
    _forked_too_early = not is_free


def _start_collector() -> None:
    global _is_collector_off
    _is_collector_off = False
    gc.enable()


after_fork(_look_after_fork)


def _compile_or_load(compile_for, *arguments):
    """Make numba compile a kernel for the types of arguments, or load it."""
    if _forked_too_early:
        raise RuntimeError(TOO_EARLY)
    return interruptible(_without_collections, compile_for, *arguments)


def _without_collections(function, *arguments):
    """Call a function while the garbage collector is off.

    What the compiler makes lives until its end. To look through it again and again
    takes a tenth of the time. If two threads compile, the first to end starts the
    collector again.
    """
    global _is_collector_off
    if not gc.isenabled():
        return function(*arguments)
    _is_collector_off = True
    gc.disable()
    try:
        return function(*arguments)
    finally:
        _start_collector()


class _KernelCode(JITCodeLibrary):
    """The code of a kernel, which is optimised once.

    Numba optimises the functions one by one, the module to prune reference counts, and
    the module again. Without counts the last round does all the work.
    """

    def _optimize_functions(self, ll_module):
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self):
        made = self._codegen._module_pass_manager()
        # Old releases return no builder beside the passes.
        passes, *builder = made if isinstance(made, tuple) else (made,)
        passes.run(self._final_module, *builder)


class _HelperCode(_KernelCode):
    """The code of a helper, which its kernels inline, optimise and translate."""

    def _optimize_final_module(self):
        pass

    def _finalize_final_module(self):
        self._finalized = True


class _KernelLower(Lower):
    """Write the code of a kernel, with few variables in memory.

    Numba keeps all variables in memory that are used beyond the block that sets them,
    and so a whole tuple of arrays is read for each of its parts. LLVM mends that, but
    it takes a good part of its time.
    """

    def _find_singly_assigned_variable(self):
        super()._find_singly_assigned_variable()
        dominators = analysis.compute_cfg_from_blocks(self.blocks).dominators()
        setters, users = defaultdict(list), defaultdict(list)
        for block, names in analysis.compute_use_defs(self.blocks).usemap.items():
            for name in names:
                users[name].append(block)
        for block, body in self.blocks.items():
            for assignment in body.find_insts(ir.Assign):
                setters[assignment.target.name].append(block)
        for name, (setter, *others) in setters.items():
            # Blocks are written in increasing order.
            if not others and all(
                setter < user and setter in dominators[user] for user in users[name]
            ):
                self._singly_assigned_vars.add(name)


class _WholeArguments:
    """Arguments of a helper: tuples and arrays are not taken apart for the call."""

    def __init__(self, argument_types):
        self.argument_types = argument_types

    def as_arguments(self, builder, values):
        return values

    def from_arguments(self, builder, arguments):
        return arguments

    def assign_names(self, arguments, names):
        for argument, name in zip(arguments, names, strict=True):
            argument.name = name


class _HelperCalls(CPUCallConv):
    """How helpers are called: as numba's functions are, with whole arguments."""

    def _get_arg_packer(self, argument_types):
        return _WholeArguments(tuple(map(self.context.get_value_type, argument_types)))

    def declare(self, module, description):
        """Return the helper as a function of a module."""
        arguments = description.argtypes
        kind = self.get_function_type(description.restype, arguments)
        name = description.mangled_name
        function = cgutils.get_or_insert_function(module, kind, name)
        self.decorate_function(function, description.args, arguments)
        function.attributes.add("alwaysinline")
        return function


class _HelperLower(_KernelLower):
    """Write the code of a helper."""

    @property
    def call_conv(self):
        return _HelperCalls(self.context)

    def setup_function(self, fndesc):
        self.function = self.call_conv.declare(self.module, fndesc)
        self.entry_block = self.function.append_basic_block("entry")
        self.builder = IRBuilder(self.entry_block)
        self.call_helper = self.call_conv.init_call_helper(self.builder)


class _Call:
    """Write a call of a helper into the code of its caller."""

    def __init__(self, description, code):
        self.description = description
        # Numba looks for these.
        self.signature, self.libs = description.argtypes, (code,)

    def __call__(self, context, builder, signature, arguments):
        calls, result_type = _HelperCalls(context), self.description.restype
        function = calls.declare(builder.module, self.description)
        kind = calls.get_return_type(result_type).pointee
        result = cgutils.alloca_once(builder, kind)
        # The helper writes an error where that of its caller is expected.
        error = calls._get_excinfo_argument(builder.function)
        status = builder.call(function, [result, error, *arguments])
        is_error = builder.icmp_signed("!=", status, status.type(0))
        with cgutils.if_unlikely(builder, is_error):
            builder.ret(status)
        return context.get_returned_value(builder, result_type, builder.load(result))


@register_pass(mutates_CFG=True, analysis_only=False)
class _KernelLowering(NativeLowering):
    """Write the code of a kernel."""

    _name = "lowering_of_kernels"
    lowering_class = _KernelLower
    code_class = _KernelCode

    def run_pass(self, state):
        code = self.code_class(state.targetctx.codegen(), state.func_id.func_qualname)
        code.enable_object_caching()
        state.library = code
        return super().run_pass(state)


@register_pass(mutates_CFG=True, analysis_only=False)
class _HelperLowering(_KernelLowering):
    """Write the code of a helper, of which there is no machine code to ask for."""

    _name = "lowering_of_helpers"
    lowering_class = _HelperLower
    code_class = _HelperCode

    def run_pass(self, state):
        state.flags.no_compile = True
        super().run_pass(state)
        code, result = state.library, state["cr"]
        code.finalize()
        description = result.fndesc
        if isinstance(description.restype, types.Optional):
            raise TypeError(f"{state.func_id.func_name} returns a value or None.")
        # Callers look the helper up by this object. It cannot be called.
        key = _dynfunc.make_function(
            description.lookup_module(),
            description.qualname,
            "",
            0,
            result.env,
            (code,),
        )
        call = _Call(description, code)
        state.targetctx.insert_func_defn([(call, key, call.signature)])
        state["cr"] = result._replace(cfunc=key)
        return True


# Each pass of numba looks through a whole function. These look for closures, array
# expressions, literals and other things that kernels do without.
_NEEDLESS = {
    untyped_passes.WithLifting,
    untyped_passes.InlineClosureLikes,
    untyped_passes.RewriteDynamicRaises,
    untyped_passes.MakeFunctionToJitFunction,
    untyped_passes.InlineInlinables,
    untyped_passes.FindLiterallyCalls,
    untyped_passes.LiteralUnroll,
    untyped_passes.LiteralPropagationSubPipelinePass,
    typed_passes.InlineOverloads,
    typed_passes.NopythonRewrites,
    typed_passes.NoPythonSupportedFeatureValidation,
    typed_passes.DumpParforDiagnostics,
}


class _Compiler(CompilerBase):
    """Numba's compiler with the lowering above and without needless passes."""

    def define_pipelines(self):
        is_helper = self.state.flags.forceinline
        lowering = _HelperLowering if is_helper else _KernelLowering
        passes = PassManager("kernels")
        for kind, what in DefaultPassBuilder.define_nopython_pipeline(
            self.state
        ).passes:
            if kind not in _NEEDLESS:
                passes.add_pass(lowering if kind is NativeLowering else kind, what)
        passes.finalize()
        return [passes]


def _without_jit(function):
    """Plain Python with the wrap-around of unsigned integers that kernels rely on."""

    def wrapped(*args):
        with np.errstate(over="ignore"):
            return function(*args)

    wrapped.__name__ = function.__name__
    wrapped.__doc__ = function.__doc__
    return wrapped


def _compile(function, **options):
    if not COMPILED:
        return _without_jit(function)
    # Without reference counts there is less to compile. Kernels create no arrays.
    return numba.njit(
        nogil=True,
        _nrt=False,
        fastmath=FASTMATH,
        error_model="numpy",
        pipeline_class=_Compiler,
        **options,
    )(function)


def _without_literals(template_for, args, kws):
    """Make numba compile a helper for the types of arguments, not for their values."""
    plain = types.unliteral
    return template_for(
        tuple(map(plain, args)), {name: plain(kind) for name, kind in kws.items()}
    )


def helper(function):
    """Compile a part of kernels, always inlined into them.

    A helper that stays a function of its own is another piece of code in the process
    that compiles than in one that loads the kernel from the cache: optimised apart,
    it may add in another order, and the last bits differ. Python cannot call it.

    Parameters
    ----------
    function : callable
        A plain function of arrays, scalars and named tuples of these.

    Returns
    -------
    callable
        Numba's dispatcher, or a plain Python function when ``NUMBA_DISABLE_JIT``
        is set.
    """
    # No other code calls it, so the wrappers for Python and C would be compiled for
    # nothing: a fifth of the time of a cold start.
    compiled = _compile(
        function, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True
    )
    if COMPILED:
        # Otherwise a helper is compiled once for every constant that it is passed,
        # and again for variables. Constants are as good as known once it is inlined.
        template_for = compiled.get_call_template
        compiled.get_call_template = functools.partial(_without_literals, template_for)
    return compiled


def kernel(function):
    """Compile an entry point on its first call and cache it on disk.

    Parameters
    ----------
    function : callable
        As in `helper`.

    Returns
    -------
    callable
        As in `helper`.
    """
    if not COMPILED:
        return _compile(function)
    dispatcher = _compile(function, no_cfunc_wrapper=True)
    # LLVM may take seconds for one call. Numba calls this for types it has not seen.
    compile_for = dispatcher._compile_for_args
    dispatcher._compile_for_args = functools.partial(_compile_or_load, compile_for)
    try:
        cache = _SealedCache(dispatcher.py_func)
    except RuntimeError:
        # No folder to write to (read-only installation, no HOME): compile in memory.
        return dispatcher
    dispatcher._cache = cache
    return dispatcher
