#include "guest/spawn/spawn_job.h"

namespace cay::guest {
namespace {

std::vector<const char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<const char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (const std::string& text : strings) pointers.push_back(text.c_str());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

void SpawnJob::Borrow(const std::vector<std::string>& arguments,
                      const std::vector<std::string>& variables) {
  argv = Pointers(arguments);
  env = Pointers(variables);
}

void SpawnJob::CloseStdio() {
  stdin_fd.reset();
  stdout_fd.reset();
  stderr_fd.reset();
}

void SpawnJob::LetGoOfStrings() {
  argv = {};
  env = {};
  candidates = {};
}

}  // namespace cay::guest
