// Every example of docs/api.md, run as it stands.
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>

#include "api_fixture.h"
#include "base/os/file.h"

namespace cay::testing {
namespace {

struct Block {
  size_t line = 0;
  std::string text;
};

std::vector<Block> ShellBlocks(std::string_view page) {
  constexpr std::string_view kBegin = "\n```sh\n";
  constexpr std::string_view kEnd = "\n```\n";
  std::vector<Block> blocks;
  for (size_t at = page.find(kBegin); at != std::string_view::npos; at = page.find(kBegin, at)) {
    const size_t begin = at + kBegin.size();
    const size_t end = page.find(kEnd, begin);
    const auto line = std::ranges::count(page.substr(0, begin), '\n') + 1;
    blocks.push_back({static_cast<size_t>(line), std::string(page.substr(begin, end - begin))});
    at = end;
  }
  return blocks;
}

class ApiGuide : public ApiFixture {
 protected:
  void SetUp() override {
    ApiFixture::SetUp();
    directory_ = ::testing::TempDir() + "cay-docs-XXXXXX";
    ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  // Its exit code; what it said goes to `output`.
  int Run(const std::string& script, std::string& output) {
    const std::string file = directory_ + "/.example.sh";
    if (!WriteFileAtomic(file, script + "\n", 0600)) return -1;
    const std::string command = "cd " + directory_ + " && CAY_URL=" + url().ToString() +
                                " bash -euo pipefail .example.sh 2>&1";
    FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) return -1;
    std::array<char, 4096> space{};
    while (const size_t count = std::fread(space.data(), 1, space.size(), pipe)) {
      output.append(space.data(), count);
    }
    return WEXITSTATUS(::pclose(pipe));
  }

  std::string directory_;
};

TEST_F(ApiGuide, EveryExampleWorks) {
  const auto page = ReadFile(CAY_API_GUIDE_PATH);
  ASSERT_TRUE(page) << page.error().ToString();
  const auto blocks = ShellBlocks(*page);
  ASSERT_GT(blocks.size(), 10U);
  for (const Block& block : blocks) {
    std::string output;
    EXPECT_EQ(Run(block.text, output), 0) << "docs/api.md:" << block.line << "\n"
                                          << output.substr(0, 3000);
  }
}

}  // namespace
}  // namespace cay::testing
