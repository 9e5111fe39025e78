// What a process that was forked, and did not execute another program, shows of itself: its name
// and its arguments, which ps(1) prints, and its environment. Both are read from the process's own
// memory (proc_pid_cmdline(5), proc_pid_environ(5)).
#pragma once

namespace cay {

// For main, before anything else: where the kernel has put the arguments. Keeps `argv`.
void NoteArguments(int argc, char** argv);

// Names this process and thread; the arguments become the name alone, and the environment is empty
// and overwritten. No std::string_view or pointer into either may be used after it. `name`: at most
// 15 bytes (PR_SET_NAME).
void BecomeNamed(const char* name);

}  // namespace cay
