#include "guest/operations/file_operations.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "guest/files/file_writer.h"
#include "guest/files/tree_lister.h"
#include "guest/files/tree_remover.h"
#include "guest/operations/connection.h"
#include "guest/operations/user_files.h"
#include "protocol/file_messages.h"

namespace cay::guest {
namespace {

using protocol::FrameType;

Failure Unexpected() {
  return Failure(
      Error(ErrorCode::kProtocol, Fault::kCaller, "a frame that this operation does not take"));
}

class ReadOperation final : public Operation {
 public:
  ReadOperation(Connection& connection, Fd file, const protocol::ReadFileRequest& request)
      : connection_(connection),
        file_(std::move(file)),
        offset_(request.offset),
        left_(request.length) {}

  Result<void> OnFrame(const protocol::Frame& /*frame*/) override { return Unexpected(); }
  bool WantsToSend() const override { return !done_; }

  Result<void> OnRoom() override {
    if (buffer_.empty()) buffer_.resize(protocol::kMaxDataBytes);
    while (!done_ && connection_.HasRoom()) {
      const size_t want = static_cast<size_t>(std::min<uint64_t>(left_, buffer_.size()));
      // What lies beyond the largest offset there can be is the end, not an error.
      const ssize_t got = offset_ > INT64_MAX - want ? 0
                                                     : ::pread(file_.get(), buffer_.data(), want,
                                                               static_cast<off_t>(offset_));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return Failure(Error::FromErrno("reading"));
      if (got == 0) {
        connection_.Send(FrameType::kDataEnd, {});
        connection_.Finish();
        done_ = true;
        break;
      }
      connection_.Send(FrameType::kData, {buffer_.data(), static_cast<size_t>(got)});
      offset_ += static_cast<uint64_t>(got);
      left_ -= static_cast<uint64_t>(got);
    }
    return {};
  }

 private:
  Connection& connection_;
  Fd file_;
  uint64_t offset_;
  uint64_t left_;
  std::vector<char> buffer_;
  bool done_ = false;
};

class WriteOperation final : public Operation {
 public:
  WriteOperation(Connection& connection, UserFiles files, FileWriter writer)
      : connection_(connection), files_(std::move(files)), writer_(std::move(writer)) {}

  ~WriteOperation() override {
    // The temporary file is removed as the user who made it; who cannot become him leaves it.
    if (const auto as_user = files_.Assume()) writer_.reset();
  }

  Result<void> OnFrame(const protocol::Frame& frame) override {
    switch (frame.type) {
      case FrameType::kData:
        return writer_->Write(frame.payload);
      case FrameType::kDataEnd: {
        const FileCredentials as_user = TRY(files_.Assume());
        connection_.SendMessage(FrameType::kFileInfo, TRY(writer_->Finish()));
        connection_.Finish();
        return {};
      }
      default:
        return Unexpected();
    }
  }

 private:
  Connection& connection_;
  UserFiles files_;
  std::optional<FileWriter> writer_;
};

class ListOperation final : public Operation {
 public:
  ListOperation(Connection& connection, UserFiles files, TreeLister lister)
      : connection_(connection), files_(std::move(files)), lister_(std::move(lister)) {}

  Result<void> OnFrame(const protocol::Frame& /*frame*/) override { return Unexpected(); }
  bool WantsToSend() const override { return !done_; }

  Result<void> OnRoom() override {
    const FileCredentials as_user = TRY(files_.Assume());
    std::vector<protocol::FileInfo> entries;
    const Result<bool> more = lister_.Next(protocol::kMaxEntriesInFrame, entries);
    SendEntries(std::move(entries));  // also those before an error
    if (!more) return Failure(more.error());
    if (!*more) {
      connection_.Send(FrameType::kDone, {});
      connection_.Finish();
      done_ = true;
    }
    return {};
  }

 private:
  void SendEntries(std::vector<protocol::FileInfo> entries) {
    constexpr size_t kOtherFieldsBytes = 80;  // of an entry's encoding, at most
    protocol::Entries frame;
    size_t bytes = 0;
    for (protocol::FileInfo& entry : entries) {
      const size_t entry_bytes = entry.path.size() + entry.link_target.size() + kOtherFieldsBytes;
      if (bytes + entry_bytes > protocol::kMaxListingBytes - kOtherFieldsBytes) {
        connection_.SendMessage(FrameType::kEntries, frame);
        frame.entries.clear();
        bytes = 0;
      }
      bytes += entry_bytes;
      frame.entries.push_back(std::move(entry));
    }
    if (!frame.entries.empty()) connection_.SendMessage(FrameType::kEntries, frame);
  }

  Connection& connection_;
  UserFiles files_;
  TreeLister lister_;
  bool done_ = false;
};

class RemoveOperation final : public Operation {
 public:
  RemoveOperation(Connection& connection, UserFiles files, TreeRemover remover)
      : connection_(connection), files_(std::move(files)), remover_(std::move(remover)) {}

  Result<void> OnFrame(const protocol::Frame& /*frame*/) override { return Unexpected(); }
  bool WantsToSend() const override { return !done_; }

  Result<void> OnRoom() override {
    constexpr size_t kNamesInStep = 256;
    const FileCredentials as_user = TRY(files_.Assume());
    if (TRY(remover_.Step(kNamesInStep))) return {};
    connection_.Send(FrameType::kDone, {});
    connection_.Finish();
    done_ = true;
    return {};
  }

 private:
  Connection& connection_;
  UserFiles files_;
  TreeRemover remover_;
  bool done_ = false;
};

// A request that is done at once, without an answer of its own.
template <class Request, class Act>
Opened DoAtOnce(Guest& guest, Connection& connection, std::string_view payload, Act act) {
  const auto request = TRY(protocol::Decode<Request>(payload));
  const UserFiles files = TRY(UserFiles::Open(guest, request.user));
  const FileCredentials as_user = TRY(files.Assume());
  TRY(act(files.view(), request));
  connection.Send(FrameType::kDone, {});
  return nullptr;
}

}  // namespace

Opened OpenReadFile(Guest& guest, Connection& connection, std::string_view payload) {
  const auto request = TRY(protocol::Decode<protocol::ReadFileRequest>(payload));
  const UserFiles files = TRY(UserFiles::Open(guest, request.user));
  const FileCredentials as_user = TRY(files.Assume());
  FileView::OpenedFile file = TRY(files.view().OpenForReading(request.path));
  connection.SendMessage(FrameType::kFileInfo, TRY(Describe(file.fd, "", request.path)));
  return std::make_unique<ReadOperation>(connection, std::move(file.fd), request);
}

Opened OpenWriteFile(Guest& guest, Connection& connection, std::string_view payload) {
  const auto request = TRY(protocol::Decode<protocol::WriteFileRequest>(payload));
  UserFiles files = TRY(UserFiles::Open(guest, request.user));
  const FileCredentials as_user = TRY(files.Assume());
  FileWriter writer = TRY(FileWriter::Begin(
      files.view(), request.path, {.mode = request.mode, .make_parents = request.make_parents}));
  return std::make_unique<WriteOperation>(connection, std::move(files), std::move(writer));
}

Opened OpenList(Guest& guest, Connection& connection, std::string_view payload) {
  const auto request = TRY(protocol::Decode<protocol::ListRequest>(payload));
  UserFiles files = TRY(UserFiles::Open(guest, request.user));
  const FileCredentials as_user = TRY(files.Assume());
  TreeLister lister = TRY(TreeLister::Open(
      files.view(), request.path, {.depth = request.depth, .max_entries = request.max_entries}));
  return std::make_unique<ListOperation>(connection, std::move(files), std::move(lister));
}

Opened OpenStat(Guest& guest, Connection& connection, std::string_view payload) {
  const auto request = TRY(protocol::Decode<protocol::StatRequest>(payload));
  const UserFiles files = TRY(UserFiles::Open(guest, request.user));
  const FileCredentials as_user = TRY(files.Assume());
  connection.SendMessage(
      FrameType::kFileInfo,
      TRY(files.view().Stat(request.path, request.follow ? Follow::kYes : Follow::kNo)));
  return nullptr;
}

Opened OpenMakeDirectory(Guest& guest, Connection& connection, std::string_view payload) {
  return DoAtOnce<protocol::MakeDirectoryRequest>(
      guest, connection, payload, [](const FileView& view, const auto& request) {
        return view.MakeDirectory(request.path, request.mode, request.parents);
      });
}

Opened OpenMove(Guest& guest, Connection& connection, std::string_view payload) {
  return DoAtOnce<protocol::MoveRequest>(
      guest, connection, payload, [](const FileView& view, const auto& request) {
        return view.Move(request.from, request.to, request.replace);
      });
}

Opened OpenChangeMode(Guest& guest, Connection& connection, std::string_view payload) {
  return DoAtOnce<protocol::ChangeModeRequest>(guest, connection, payload,
                                               [](const FileView& view, const auto& request) {
                                                 return view.ChangeMode(request.path, request.mode);
                                               });
}

Opened OpenRemove(Guest& guest, Connection& connection, std::string_view payload) {
  const auto request = TRY(protocol::Decode<protocol::RemoveRequest>(payload));
  UserFiles files = TRY(UserFiles::Open(guest, request.user));
  const FileCredentials as_user = TRY(files.Assume());
  if (!request.recursive) {
    const Result<void> removed = files.view().Remove(request.path);
    const bool missing = !removed && removed.error().code() == ErrorCode::kNotFound;
    if (!removed && !(missing && request.missing_is_fine)) return Failure(removed.error());
    connection.Send(FrameType::kDone, {});
    return nullptr;
  }
  Result<TreeRemover> remover = TreeRemover::Begin(files.view(), request.path);
  if (remover) {
    return std::make_unique<RemoveOperation>(connection, std::move(files), *std::move(remover));
  }
  if (remover.error().code() != ErrorCode::kNotFound || !request.missing_is_fine) {
    return Failure(std::move(remover).error());
  }
  connection.Send(FrameType::kDone, {});
  return nullptr;
}

}  // namespace cay::guest
