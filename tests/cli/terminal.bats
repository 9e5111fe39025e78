load common

# on_terminal SCRIPT: runs the Python SCRIPT with helpers over a pseudo-terminal of 40 x 100 that
# `cay run` is started on.
on_terminal() {
  cat > helper.py <<'PYTHON'
import fcntl, os, pty, select, signal, struct, subprocess, sys, termios, time

master, slave = pty.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
before = termios.tcgetattr(slave)
seen = b""

def start(*arguments):
    global process
    def child():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    process = subprocess.Popen([os.environ["CAY"], "run", *arguments], stdin=slave, stdout=slave,
                               stderr=slave, preexec_fn=child)

def expect(text, seconds=20):
    global seen
    deadline = time.monotonic() + seconds
    while text not in seen:
        left = deadline - time.monotonic()
        assert left > 0, f"no {text!r} in {seen!r}"
        if select.select([master], [], [], left)[0]:
            seen += os.read(master, 65536)
    seen = seen[seen.index(text) + len(text):]

def send(signal_number): process.send_signal(signal_number)

def wait_stopped(): os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)

def type(text): os.write(master, text)

def resize(rows, columns):
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

def finish():
    code = process.wait(timeout=30)
    assert termios.tcgetattr(slave) == before, "the terminal was not restored"
    return code
PYTHON
  printf '%s\n' 'from helper import *' "$1" > script.py
  run timeout 60 python3 script.py
  [[ $status == 0 ]] || { echo "$output" >&2; return 1; }
}

@test "a shell on a real terminal: size, resize, ^C, ^D" {
  on_terminal '
start("-it", "-e", "PS1=prompt> ", "--", "sh")
expect(b"prompt> ")
type(b"tty; stty size\n"); expect(b"/dev/pts/"); expect(b"40 100"); expect(b"prompt> ")
resize(30, 90)
type(b"while [ \"$(stty size)\" != \"30 90\" ]; do :; done; echo res\"\"ized\n"); expect(b"resized"); expect(b"prompt> ")
type(b"sleep 100\n"); expect(b"\r\n"); time.sleep(0.3); type(b"\x03"); expect(b"prompt> ")
type(b"echo alive\"\"still\n"); expect(b"alivestill"); expect(b"prompt> ")
type(b"exit 6\n")
assert finish() == 6'
}

@test "job control works inside" {
  on_terminal '
start("-it", "-e", "PS1=prompt> ", "--", "bash", "--norc", "-i")
expect(b"prompt> ")
type(b"sleep 100\n"); expect(b"\r\n"); time.sleep(0.3); type(b"\x1a"); expect(b"Stopped"); expect(b"prompt> ")
type(b"kill %1; wait; while [ -n \"$(jobs -p)\" ]; do sleep 0.1; done; echo do\"\"ne\n"); expect(b"done"); expect(b"prompt> ")
type(b"\x04")
finish()'
}

@test "the terminal is restored after a command that failed, a timeout and a signal" {
  on_terminal '
start("-it", "--", "no-such-command"); expect(b"no-such-command"); assert finish() == 127
start("-it", "--timeout", "500ms", "--", "sleep", "60"); expect(b"timed out after 500ms"); assert finish() == 124
start("-it", "--", "sh", "-c", "echo ready; exec sleep 60"); expect(b"ready")
send(signal.SIGTERM); assert finish() == 143
start("-it", "--", "sh", "-c", "echo ready; trap : TERM HUP INT; while :; do sleep 1; done"); expect(b"ready")
send(signal.SIGTERM); time.sleep(0.2); send(signal.SIGTERM); assert finish() == 143'
}

@test "stopping and continuing puts the terminal down and up" {
  on_terminal '
start("-it", "--", "sh", "-c", "echo ready; read x; echo got $x"); expect(b"ready")
raw = termios.tcgetattr(slave); assert raw != before
send(signal.SIGTSTP)
wait_stopped()
assert termios.tcgetattr(slave) == before
send(signal.SIGCONT)
type(b"word\n"); expect(b"got word")
assert finish() == 0'
}

@test "without -t ^C reaches the command as a signal, and a second one ends it" {
  on_terminal '
start("--", "sh", "-c", "echo ready; exec sleep 60"); expect(b"ready"); type(b"\x03"); assert finish() == 130
start("--", "sh", "-c", "trap \"echo heard\" INT; echo ready; while :; do sleep 0.1; done"); expect(b"ready")
type(b"\x03"); expect(b"heard"); type(b"\x03"); assert finish() == 130'
}

@test "without -i or -t a terminal is not read" {
  on_terminal '
start("--", "sh", "-c", "cat; echo end"); expect(b"end"); assert finish() == 0'
}

@test "-t gives a terminal to a command without one outside" {
  echo 'tty; stty size' | "$CAY" run -t -- sh > out
  grep -q /dev/pts/ out
}

@test "-it without a terminal outside is an error" {
  run "$CAY" run -it -- cat </dev/null
  [[ $status == 125 && $output == *"standard input is not a terminal"* && $output == *"without -t"* ]]
}
