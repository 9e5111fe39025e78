#include <signal.h>
#include <unistd.h>

#include <optional>

#include "base/os/sys.h"
#include "guest/operations/archive_worker.h"
#include "guest/operations/connection.h"
#include "guest/operations/file_operations.h"
#include "guest/operations/user_files.h"

namespace cay::guest {
namespace {

constexpr size_t kMaxWorkers = 16;
size_t g_workers = 0;  // only the loop's thread uses it

// Stands for the worker in the loop: ends when it does, and takes it along when the host goes.
class WorkerOperation final : public Operation, public EventLoop::Handler {
 public:
  WorkerOperation(Guest& guest, Connection& connection)
      : guest_(guest), connection_(connection), on_hangup_(*this) {
    ++g_workers;
  }
  ~WorkerOperation() override {
    --g_workers;
    if (!worker_) return;
    guest_.loop.Forget(worker_->get());
    static_cast<void>(sys::PidfdSendSignal(*worker_, SIGKILL));  // gone by itself, mostly
  }

  // `run` is called in the child with its job.
  template <class Run>
  Result<void> Start(const UserFiles& files, Run run) {
    const Connection::Raw raw = TRY(connection_.EnterRaw(on_hangup_));
    const pid_t child = ::fork();
    if (child < 0) {
      if (errno != EAGAIN) return Failure(Error::FromErrno("starting an archive worker"));
      return Failure(Error(ErrorCode::kResourceExhausted, Fault::kCaller,
                           "the sandbox is at its limit of processes: an archive needs one"));
    }
    if (child == 0) {
      EnterWorker(raw.socket);
      run(ArchiveJob{.socket = kWorkerSocket,
                     .early = raw.early,
                     .user = files.user(),
                     .single_user = files.single_user(),
                     .temporaries = guest_.temporaries});
      ::_exit(0);
    }
    worker_ = TRY(sys::PidfdOpen(child));
    return guest_.loop.Watch(worker_->get(), EPOLLIN, *this);
  }

  Result<void> OnFrame(const protocol::Frame& /*frame*/) override {
    return Failure(Error(ErrorCode::kInternal, Fault::kMachine, "a frame past the worker"));
  }

  bool WantsFrames() const override { return false; }

  // The worker has ended, and has said all there was to say.
  void OnReady(uint32_t /*events*/) override {
    guest_.loop.Forget(worker_->get());
    connection_.Finish();
  }

 private:
  static constexpr int kWorkerSocket = 3;

  class OnHangup final : public EventLoop::Handler {
   public:
    explicit OnHangup(WorkerOperation& owner) : owner_(owner) {}
    void OnReady(uint32_t /*events*/) override { owner_.connection_.Finish(); }

   private:
    WorkerOperation& owner_;
  };

  // Nothing of the guest's stays open. (It does not outlive the guest: that is PID 1.)
  static void EnterWorker(int socket) {
    if (socket != kWorkerSocket && ::dup2(socket, kWorkerSocket) < 0) ::_exit(1);
    if (::close_range(kWorkerSocket + 1, ~0U, 0) < 0) ::_exit(1);
  }

  Guest& guest_;
  Connection& connection_;
  OnHangup on_hangup_;
  std::optional<Fd> worker_;  // a pidfd
};

template <class Request, class Run>
Opened StartWorker(Guest& guest, Connection& connection, std::string_view payload, Run run) {
  const auto request = TRY(protocol::Decode<Request>(payload));
  const UserFiles files = TRY(UserFiles::Open(guest, request.user));
  if (g_workers >= kMaxWorkers) {
    return Failure(
        Error(ErrorCode::kResourceExhausted, Fault::kCaller,
              "the guest packs and unpacks " + std::to_string(kMaxWorkers) + " archives already"));
  }
  auto operation = std::make_unique<WorkerOperation>(guest, connection);
  TRY(operation->Start(files, [&](const ArchiveJob& job) { run(job, request); }));
  return operation;
}

}  // namespace

Opened OpenArchiveOut(Guest& guest, Connection& connection, std::string_view payload) {
  return StartWorker<protocol::ArchiveOutRequest>(guest, connection, payload, &RunArchiveOut);
}

Opened OpenArchiveIn(Guest& guest, Connection& connection, std::string_view payload) {
  return StartWorker<protocol::ArchiveInRequest>(guest, connection, payload, &RunArchiveIn);
}

}  // namespace cay::guest
