import os, signal as std
import sigcffi as signal
def test_handler():
    seen=[]
    signal.signal(signal.SIGUSR1, lambda *a: seen.append(a[0]))
    os.kill(os.getpid(), signal.SIGUSR1)
    assert seen==[signal.SIGUSR1]
    assert signal.deliveries(signal.SIGUSR1)==1
