#include "template/layers/layer_tree.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <algorithm>

#include "base/os/file.h"
#include "base/os/sys.h"
#include "template/layers/lower_chain.h"
#include "template/layers/merged_view.h"

namespace cay::templates {
namespace {

constexpr uint64_t kResolveStrict =
    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
constexpr uint64_t kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

Result<Fd> OpenStrict(int dir, const std::string& path, uint64_t flags) {
  return sys::OpenAt2(dir, path.c_str(), {.flags = flags, .mode = 0, .resolve = kResolveStrict});
}

std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

std::string NameOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

}  // namespace

// The tree that the layers below and this one show together.
struct LayerTree::Below {
  Below(Fd layer_root, LowerChain layers)
      : root(std::move(layer_root)), chain(std::move(layers)), view(root, chain, hidden) {}

  Fd root;
  LowerChain chain;
  Hidden hidden;
  MergedView view;
};

LayerTree::LayerTree(Fd root, bool may_give_away)
    : root_(std::move(root)), may_give_away_(may_give_away) {}
LayerTree::~LayerTree() = default;
LayerTree::LayerTree(LayerTree&&) noexcept = default;

Result<LayerTree> LayerTree::Open(const std::string& root, std::span<const Fd> lower) {
  Fd fd = TRY(sys::OpenAt(AT_FDCWD, root.c_str(), static_cast<int>(kDirectoryFlags)));
  LayerTree tree(std::move(fd), ::geteuid() == 0);
  if (!lower.empty()) {
    tree.below_ = std::make_unique<Below>(TRY(tree.root_.Duplicate()),
                                          TRY(LowerChain::Open(lower, OverlayXattrsOfCaller())));
  }
  return tree;
}

Result<Fd> LayerTree::OpenDirectory(const std::string& path) const {
  return OpenStrict(root_.get(), path, kDirectoryFlags);
}

Result<Fd> LayerTree::OpenParent(const std::string& path) const {
  return OpenDirectory(ParentOf(path));
}

Result<void> LayerTree::SetAttributes(const Fd& fd, const Attributes& node) {
  // chown(2) clears set-id bits, so the mode comes last.
  if (may_give_away_) TRY(sys::ChownAt(fd.get(), "", node.uid, node.gid));
  if (::fchmod(fd.get(), node.mode) < 0) return Failure(Error::FromErrno("changing a mode"));
  return {};
}

Result<Fd> LayerTree::MakeStep(const Fd& parent, const std::string& name, const Attributes& node,
                               bool keep) {
  Result<Fd> there = OpenStrict(parent.get(), name, kDirectoryFlags);
  if (!there) {
    const int why = there.error().sys_errno();
    if (why == ELOOP || why == ENOTDIR) {
      if (::unlinkat(parent.get(), name.c_str(), 0) < 0) {
        return Failure(Error::FromErrno("replacing /" + name + " by a directory"));
      }
    } else if (why != ENOENT) {
      return there;
    }
    TRY(sys::MkdirAt(parent.get(), name.c_str(), 0700));
    there = OpenStrict(parent.get(), name, kDirectoryFlags);
    if (!there) return there;
    keep = false;
  }
  if (!keep) TRY(SetAttributes(*there, node));
  return there;
}

Result<void> LayerTree::Ensure(const std::string& path, const Attributes& node, bool keep) {
  Fd at = TRY(OpenDirectory("."));
  size_t start = 0;
  while (true) {
    const size_t end = path.find('/', start);
    const bool last = end == std::string::npos;
    const std::string name = path.substr(start, last ? std::string::npos : end - start);
    const bool kept = last ? keep : true;
    Attributes wanted = last ? node : Attributes{};
    if (kept) wanted = TRY(AttributesBelow(path.substr(0, end))).value_or(wanted);
    at = TRY(MakeStep(at, name, wanted, kept));
    if (last) return {};
    start = end + 1;
  }
}

Result<std::optional<Attributes>> LayerTree::AttributesBelow(const std::string& path) const {
  if (!below_ || path == ".") return std::nullopt;
  const auto found = TRY(below_->view.Walk(path));
  if (!found || found->lower.empty()) return std::nullopt;
  return Attributes{
      .mode = found->info.st_mode & 07777, .uid = found->info.st_uid, .gid = found->info.st_gid};
}

Result<void> LayerTree::EnsureDirectory(const std::string& path, const Attributes& node) {
  return Ensure(path, node, /*keep=*/false);
}

Result<void> LayerTree::EnsureDirectoryKept(const std::string& path, const Attributes& node) {
  return Ensure(path, node, /*keep=*/true);
}

Result<Fd> LayerTree::CreateFile(const std::string& path) {
  if (below_) TRY(EnsureDirectoryKept(ParentOf(path), {}));
  const Fd parent = TRY(OpenParent(path));
  const std::string name = NameOf(path);
  if (::unlinkat(parent.get(), name.c_str(), 0) < 0 && errno != ENOENT) {
    return Failure(Error::FromErrno("replacing /" + path));
  }
  return sys::OpenAt(parent.get(), name.c_str(),
                     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

Result<void> LayerTree::WriteFile(const std::string& path, std::string_view content,
                                  const Attributes& node) {
  const Fd file = TRY(CreateFile(path));
  TRY(WriteAll(file.get(), content));
  return SetAttributes(file, node);
}

Result<void> LayerTree::WriteSymlink(const std::string& path, const std::string& target) {
  if (below_) TRY(EnsureDirectoryKept(ParentOf(path), {}));
  const Fd parent = TRY(OpenParent(path));
  const std::string name = NameOf(path);
  if (::unlinkat(parent.get(), name.c_str(), 0) < 0 && errno != ENOENT) {
    return Failure(Error::FromErrno("replacing /" + path));
  }
  return sys::SymlinkAt(target.c_str(), parent.get(), name.c_str());
}

Result<uint64_t> LayerTree::CopyFile(const Fd& source, uint64_t max_bytes, const std::string& path,
                                     const Attributes& node) {
  const Fd file = TRY(CreateFile(path));
  uint64_t copied = 0;
  while (true) {
    const ssize_t got = ::sendfile(file.get(), source.get(), nullptr, 1 << 20);
    if (got < 0) {
      if (errno == EINTR) continue;
      return Failure(Error::FromErrno("copying to /" + path));
    }
    if (got == 0) break;
    copied += static_cast<uint64_t>(got);
    if (copied > max_bytes) {
      return Failure(Error(ErrorCode::kIo, Fault::kMachine,
                           "/" + path + " is longer than " + std::to_string(max_bytes) + " bytes"));
    }
  }
  TRY(SetAttributes(file, node));
  return copied;
}

Result<struct stat> LayerTree::Stat(const std::string& path) const {
  auto here = StatHere(path);
  if (here || !below_ || here.error().code() != ErrorCode::kNotFound) return here;
  const std::string parent = ParentOf(path);
  const auto at =
      parent == "." ? std::optional(TRY(below_->view.Root())) : TRY(below_->view.Walk(parent));
  if (!at) return here;
  const Found found = TRY(below_->view.Look(*at, NameOf(path)));
  if (found.kind == Found::Kind::kNothing) return here;
  return found.kind == Found::Kind::kDirectory ? found.directory.info : found.info;
}

Result<struct stat> LayerTree::StatHere(const std::string& path) const {
  Result<Fd> fd = OpenStrict(root_.get(), path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (!fd) {
    const int why = fd.error().sys_errno();
    if (why == ENOENT || why == ENOTDIR) {
      return Failure(Error(ErrorCode::kNotFound, Fault::kCaller, "no /" + path));
    }
    return Failure(fd.error());
  }
  struct stat info{};
  if (::fstat(fd->get(), &info) < 0) return Failure(Error::FromErrno("looking at /" + path));
  return info;
}

// O_NONBLOCK: opening a FIFO that somebody put there must not wait.
Result<Fd> LayerTree::OpenToRead(const std::string& path) const {
  constexpr uint64_t kFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  if (!below_) {
    return sys::OpenAt2(root_.get(), path.c_str(),
                        {.flags = kFlags,
                         .mode = 0,
                         .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV});
  }
  const Found found = TRY(below_->view.Follow(path));
  if (found.kind != Found::Kind::kFile) {
    return Failure(Error(ErrorCode::kNotFound, Fault::kCaller, "no file /" + path));
  }
  return sys::OpenAt(AT_FDCWD, PathOf(*found.node).c_str(), static_cast<int>(kFlags));
}

Result<std::string> LayerTree::ReadInside(const std::string& path, size_t max_bytes) const {
  const Fd fd = TRY(OpenToRead(path));
  struct stat info{};
  if (::fstat(fd.get(), &info) < 0) return Failure(Error::FromErrno("looking at /" + path));
  if (!S_ISREG(info.st_mode)) {
    return Failure(Error::Impossible("/" + path + " is not a regular file"));
  }
  std::string out;
  out.resize(std::min<uint64_t>(static_cast<uint64_t>(info.st_size), max_bytes) + 1);
  size_t used = 0;
  while (used < out.size()) {
    const ssize_t got = ::read(fd.get(), out.data() + used, out.size() - used);
    if (got < 0) {
      if (errno == EINTR) continue;
      return Failure(Error::FromErrno("reading /" + path));
    }
    if (got == 0) break;
    used += static_cast<size_t>(got);
  }
  if (used > max_bytes) {
    return Failure(
        Error::Invalid("/" + path + " is longer than " + std::to_string(max_bytes) + " bytes"));
  }
  out.resize(used);
  return out;
}

}  // namespace cay::templates
