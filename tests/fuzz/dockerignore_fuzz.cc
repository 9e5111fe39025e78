// .dockerignore files and patterns of paths, which whoever asks for a build writes: what they match
// is what a naive matcher, which tries everything, finds. The input is the file, a NUL byte, and a
// path.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "template/dockerfile/patterns/glob.h"
#include "template/dockerfile/patterns/ignore.h"

namespace {

namespace df = cay::templates::dockerfile;
using df::Glob;

// Trying everything takes time exponential in these.
constexpr size_t kMaxOraclePattern = 24;
constexpr size_t kMaxOraclePath = 16;

void Check(bool condition) {
  if (!condition) std::abort();
}

bool IsAscii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > 0; });
}

// A valid set behind "[": whether it takes `c`, and `pattern` behind it.
bool SetTakes(std::string_view& pattern, char c) {
  bool found = false;
  const bool negated = pattern.starts_with('^');
  if (negated) pattern.remove_prefix(1);
  const auto take = [&pattern] {
    if (pattern.front() == '\\') pattern.remove_prefix(1);
    const char taken = pattern.front();
    pattern.remove_prefix(1);
    return taken;
  };
  do {
    const char first = take();
    char last = first;
    if (pattern.front() == '-') {
      pattern.remove_prefix(1);
      last = take();
    }
    found = found || (first <= c && c <= last);
  } while (pattern.front() != ']');
  pattern.remove_prefix(1);
  return found != negated;
}

bool Naive(std::string_view pattern, std::string_view path, Glob::Kind kind, bool at_beginning);

bool NaiveTree(std::string_view pattern, std::string_view path, bool at_beginning) {
  const bool has_slash = pattern.starts_with('/');
  if (has_slash) pattern.remove_prefix(1);
  if (pattern.empty()) return true;
  const bool is_suffix =
      at_beginning && !has_slash && pattern.find_first_of("*?[]\\") == std::string_view::npos;
  if (Naive(pattern, path, Glob::Kind::kTree, false)) return true;
  for (size_t i = 1; i <= path.size(); ++i) {
    if (!is_suffix && path[i - 1] != '/') continue;
    if (Naive(pattern, path.substr(i), Glob::Kind::kTree, false)) return true;
  }
  return false;
}

bool Naive(std::string_view pattern, std::string_view path, Glob::Kind kind, bool at_beginning) {
  if (pattern.empty()) return path.empty();
  if (kind == Glob::Kind::kTree && pattern.starts_with("**")) {
    return NaiveTree(pattern.substr(2), path, at_beginning);
  }
  if (pattern.front() == '*') {
    for (size_t i = 0;; ++i) {
      if (Naive(pattern.substr(1), path.substr(i), kind, false)) return true;
      if (i == path.size() || path[i] == '/') return false;
    }
  }
  if (path.empty()) return false;
  if (pattern.front() == '[') {
    pattern.remove_prefix(1);
    return SetTakes(pattern, path.front()) && Naive(pattern, path.substr(1), kind, false);
  }
  if (pattern.front() == '\\') {
    pattern.remove_prefix(1);
  } else if (pattern.front() == '?') {
    return path.front() != '/' && Naive(pattern.substr(1), path.substr(1), kind, false);
  }
  return pattern.front() == path.front() && Naive(pattern.substr(1), path.substr(1), kind, false);
}

void CheckGlob(std::string_view pattern, std::string_view path) {
  for (const auto kind : {Glob::Kind::kComponents, Glob::Kind::kTree}) {
    const auto glob = Glob::Parse(pattern, kind);
    if (!glob) continue;
    const bool matches = glob->Matches(path);
    Check(glob->MatchesOfEach(path).back() == matches);
    if (glob->IsLiteral()) Check(glob->Matches(glob->literal()));
    for (size_t i = path.find('/'); i != std::string_view::npos; i = path.find('/', i + 1)) {
      if (matches && i + 1 < path.size()) Check(glob->MayMatchBelow(path.substr(0, i)));
    }
    if (pattern.size() <= kMaxOraclePattern && path.size() <= kMaxOraclePath && IsAscii(pattern) &&
        IsAscii(path)) {
      Check(matches == Naive(pattern, path, kind, true));
    }
  }
}

void CheckIgnore(std::string_view text, std::string_view path) {
  const auto ignore = df::IgnorePatterns::ParseFile(text);
  if (!ignore) return;
  const bool ignored = ignore->Ignores(path);
  if (ignore->empty()) Check(!ignored);
  for (size_t i = path.find('/'); i != std::string_view::npos; i = path.find('/', i + 1)) {
    if (i == 0) return;  // no path of a context
    if (ignore->SkipsWhole(path.substr(0, i))) Check(ignored);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t nul = input.find('\0');
  if (nul == std::string_view::npos || size > 4096) return 0;
  const std::string_view text = input.substr(0, nul);
  const std::string_view path = input.substr(nul + 1);
  CheckGlob(text, path);
  if (df::CleanPath(path) == path) CheckIgnore(text, path);
  Check(df::CleanPath(df::CleanPath(path)) == df::CleanPath(path));
  return 0;
}
