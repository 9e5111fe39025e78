#include "archive/safe_path.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>

#include "archive/tar_entry.h"
#include "base/os/sys.h"

namespace cay::archive {
namespace {

constexpr size_t kNameMax = 255;
constexpr size_t kPieceBytes = 3800;  // below PATH_MAX whatever the last component's length

Result<Fd> OpenPiece(int dir, const std::string& piece, int flags, uint64_t resolve = 0) {
  open_how how{};
  how.flags = static_cast<__u64>(flags | O_DIRECTORY | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | resolve;
  while (true) {
    Result<Fd> opened = sys::OpenAt2(dir, piece.c_str(), how);
    // EAGAIN: a rename elsewhere raced with the check that we stayed beneath. Only ".." makes the
    // kernel say so, and there is none; trying again costs nothing all the same.
    if (opened || opened.error().sys_errno() != EAGAIN) return opened;
  }
}

// The length of the first piece: whole components, at most kPieceBytes.
size_t PieceLength(std::string_view path) {
  if (path.size() <= kPieceBytes) return path.size();
  return path.rfind('/', kPieceBytes);
}

}  // namespace

std::string Printable(std::string_view name) {
  constexpr size_t kMaxShown = 200;
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (const char c : name.substr(0, kMaxShown)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += "\\x";
      out += kHex[byte >> 4U];
      out += kHex[byte & 0xfU];
    }
  }
  if (name.size() > kMaxShown) out += "...";
  return out;
}

Result<std::string> NormalizeEntryPath(std::string_view path) {
  const auto invalid = [whole = path](std::string_view why) {
    return Failure(
        Error::Invalid("archive: the name \"" + Printable(whole) + "\" " + std::string(why)));
  };
  if (path.empty()) return Failure(Error::Invalid("archive: an entry has an empty name"));
  if (path.size() > kMaxEntryPathBytes) return invalid("is too long");
  if (path.find('\0') != std::string_view::npos) return invalid("has a NUL byte in it");
  if (path.front() == '/') return invalid("is absolute");
  std::string out;
  out.reserve(path.size());
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    const std::string_view component = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (component.empty() || component == ".") continue;
    if (component == "..") return invalid("has \"..\" in it");
    if (component.size() > kNameMax) return invalid("has a component of more than 255 bytes");
    if (!out.empty()) out += '/';
    out += component;
  }
  return out;
}

SplitPath SplitLast(std::string_view normalized) {
  const size_t slash = normalized.rfind('/');
  if (slash == std::string_view::npos) return {.parent = {}, .name = normalized};
  return {.parent = normalized.substr(0, slash), .name = normalized.substr(slash + 1)};
}

Result<Fd> OpenDirectoryBeneath(const Fd& root, std::string_view normalized, int flags,
                                uint64_t resolve) {
  if (normalized.empty()) return OpenPiece(root.get(), ".", flags, resolve);
  std::optional<Fd> at;
  while (true) {
    const size_t length = PieceLength(normalized);
    const bool last = length == normalized.size();
    const int dir = at ? at->get() : root.get();
    at = TRY(
        OpenPiece(dir, std::string(normalized.substr(0, length)), last ? flags : O_PATH, resolve));
    if (last) return *std::move(at);
    normalized.remove_prefix(length + 1);
  }
}

Result<Fd> MakeDirectoriesBeneath(const Fd& root, std::string_view normalized, mode_t mode) {
  Result<Fd> whole = OpenDirectoryBeneath(root, normalized, O_PATH);
  if (whole || whole.error().sys_errno() != ENOENT) return whole;
  Fd at = TRY(OpenPiece(root.get(), ".", O_PATH));
  while (!normalized.empty()) {
    const size_t slash = std::min(normalized.find('/'), normalized.size());
    const std::string component(normalized.substr(0, slash));
    normalized.remove_prefix(std::min(slash + 1, normalized.size()));
    Result<void> made = sys::MkdirAt(at.get(), component.c_str(), mode);
    if (!made && made.error().sys_errno() != EEXIST) return Failure(std::move(made).error());
    at = TRY(OpenPiece(at.get(), component, O_PATH));
  }
  return at;
}

}  // namespace cay::archive
