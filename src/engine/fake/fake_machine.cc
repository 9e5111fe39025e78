#include "engine/fake/fake_machine.h"

#include <fcntl.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "base/os/sys.h"

namespace cay::engine::fake {

namespace fs = std::filesystem;

FakeDisk::~FakeDisk() {
  for (const std::string& directory : directories_) {
    std::error_code ignored;
    fs::remove_all(directory, ignored);
  }
}

Result<Fd> FakeDisk::Show(const std::map<std::string, std::string>& files) {
  std::string directory = (fs::temp_directory_path() / "cay-fake-XXXXXX").string();
  if (::mkdtemp(directory.data()) == nullptr)
    return Failure(Error::FromErrno("making a fake disk"));
  directories_.push_back(directory);
  for (const auto& [path, content] : files) {
    const fs::path file = fs::path(directory) / fs::path(path).relative_path();
    std::error_code failed;
    fs::create_directories(file.parent_path(), failed);
    std::ofstream(file, std::ios::binary) << content;
  }
  return sys::OpenAt(AT_FDCWD, directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

}  // namespace cay::engine::fake
