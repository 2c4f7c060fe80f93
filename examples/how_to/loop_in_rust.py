"""Stop a loop in Rust."""

import ctypes
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import sigcffi as signal

LOOP = """
use std::sync::atomic::{AtomicI32, Ordering};

#[no_mangle]
pub extern "C" fn leibniz(stop: &AtomicI32) -> f64 {
    let (mut total, mut sign, mut k) = (0.0, 1.0, 0.0);
    while stop.load(Ordering::Relaxed) == 0 {
        total += sign / (2.0 * k + 1.0);
        sign = -sign;
        k += 1.0;
    }
    4.0 * total
}
"""

if shutil.which("rustc") is None:
    sys.exit("rustc is not installed")
with tempfile.TemporaryDirectory() as folder:
    source, library = Path(folder, "leibniz.rs"), Path(folder, "leibniz.so")
    source.write_text(LOOP)
    subprocess.run(["rustc", "-O", "--crate-type=cdylib", "-o", library, source], check=True)
    leibniz = ctypes.CDLL(str(library)).leibniz
leibniz.argtypes = [ctypes.c_void_p]
leibniz.restype = ctypes.c_double

with signal.actions.flag(signal.SIGVTALRM) as stop:
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.2)
    print(f"Rust: about {leibniz(stop.address):.2f}")
