load common
load server

setup_file() {
  need_root
  export CAY_STATE_DIR="$BATS_FILE_TMPDIR/state" HOME="$BATS_FILE_TMPDIR"
  unset XDG_CONFIG_HOME CAY_API_KEY
  mkdir -m 0711 "$CAY_STATE_DIR"
  chmod 0711 "$BATS_FILE_TMPDIR"
  start_server
  "$CAY" create --name web
}

teardown_file() {
  stop_server
}

@test "exec -t: size, resize, ^C, the exit code, and the terminal as it was" {
  on_terminal '
start("exec", "-it", "-e", "PS1=prompt> ", "web", "--", "sh")
expect(b"prompt> ")
type(b"tty; stty size\n"); expect(b"/dev/pts/"); expect(b"40 100"); expect(b"prompt> ")
resize(30, 90)
type(b"while [ \"$(stty size)\" != \"30 90\" ]; do :; done; echo res\"\"ized\n"); expect(b"resized"); expect(b"prompt> ")
type(b"sleep 100\n"); expect(b"\r\n"); time.sleep(0.3); type(b"\x03"); expect(b"prompt> ")
type(b"exit 6\n")
assert finish() == 6'
}

@test "ctrl-p ctrl-q leaves it running, and attach comes back to the byte" {
  on_terminal '
start("exec", "-it", "-e", "PS1=prompt> ", "web", "--", "sh")
expect(b"prompt> ")
type(b"echo be\"\"fore\n"); expect(b"before"); expect(b"prompt> ")
type(b"\x10\x11"); expect(b"cay attach --from "); line = until(b"\n"); assert finish() == 0
position, sandbox, process = line.split()
start("attach", "--from", position.decode(), sandbox.decode(), process.decode())
type(b"echo aft\"\"er\n"); expect(b"after"); expect(b"prompt> ")
type(b"exit 4\n"); assert finish() == 4
assert b"before" not in history[-1]'
}

# The terminal outside is the test itself: it answers nothing, and sees what it would be asked.
@test "attach shows what was there, without the questions to a terminal in it" {
  on_terminal '
start("exec", "-it", "-e", "PS1=prompt> ", "web", "--", "sh")
expect(b"prompt> ")
type(b"printf \"be\"\"fore\\\\033[6n\\\\n\"\n"); expect(b"before\x1b[6n"); expect(b"prompt> ")
type(b"\x10\x11"); expect(b"cay attach --from "); line = until(b"\n"); assert finish() == 0
_, sandbox, process = line.split()
start("attach", sandbox.decode(), process.decode())
expect(b"before")
type(b"printf \"la\"\"ter\\\\033[6n\\\\n\"\n"); expect(b"later\x1b[6n"); expect(b"prompt> ")
assert history[-1].count(b"\x1b[6n") == 1, history[-1]
type(b"exit 5\n"); assert finish() == 5'
}

@test "exec -it without a terminal outside is an error" {
  run "$CAY" exec -it web -- cat </dev/null
  [[ $status == 125 && $output == *"standard input is not a terminal"* ]]
}

@test "a shell goes on over a restart of the server" {
  on_terminal '
start("sh", "-e", "PS1=prompt> ", "web")
expect(b"$")
type(b"echo on\"\"e\n"); expect(b"one")
restart_server()
expect(b"connected again", 60)
type(b"echo tw\"\"o\n"); expect(b"two")
type(b"exit 3\n"); assert finish() == 3'
}

# on_terminal SCRIPT: as in terminal.bats, with any command of cay.
on_terminal() {
  export BATS_TEST_DIRNAME
  cat > helper.py <<'PYTHON'
import fcntl, os, pty, select, signal, struct, subprocess, termios, time

master, slave = pty.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
before = termios.tcgetattr(slave)
seen = b""
history = []

def start(*arguments):
    global process, seen
    seen = b""
    history.append(b"")
    def child():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    process = subprocess.Popen([os.environ["CAY"], *arguments], stdin=slave, stdout=slave,
                               stderr=slave, preexec_fn=child)

def expect(text, seconds=20):
    global seen
    deadline = time.monotonic() + seconds
    while text not in seen:
        left = deadline - time.monotonic()
        assert left > 0, f"no {text!r} in {seen!r}"
        if select.select([master], [], [], left)[0]:
            got = os.read(master, 65536)
            seen += got
            history[-1] += got
    result = seen[:seen.index(text)]
    seen = seen[seen.index(text) + len(text):]
    return result

def until(text): return expect(text)

def type(text): os.write(master, text)

def resize(rows, columns):
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

def restart_server():
    subprocess.run(["bash", "-c", f"cd {os.environ['BATS_TEST_DIRNAME']}; source ./common.bash; source ./server.bash; end_server KILL; start_server"], check=True)

def finish():
    code = process.wait(timeout=30)
    assert termios.tcgetattr(slave) == before, "the terminal was not restored"
    return code
PYTHON
  printf '%s\n' 'from helper import *' "$1" > script.py
  run timeout 120 python3 script.py
  [[ $status == 0 ]] || { echo "$output" >&2; return 1; }
}
