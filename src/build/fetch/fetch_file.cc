#include "build/fetch/fetch_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "archive/safe_path.h"
#include "base/clock.h"
#include "build/fetch/download_process.h"
#include "build/run/step_trust.h"
#include "template/layers/lower_chain.h"
#include "template/oci/digest.h"

namespace cay::build {
namespace {

using templates::oci::Digest;

constexpr std::string_view kProgram = "/run/cay-downloader";
constexpr size_t kPiece = 256 * kKiB;
constexpr auto kNoteFirst = std::chrono::seconds(2);
constexpr auto kNoteEvery = std::chrono::seconds(5);
constexpr size_t kMaxNotes = 2 * kMaxRedirects;
constexpr int64_t kMaxUnixTime = 253'402'300'799;  // the end of the year 9999

// What the downloader tells, for people and for the end.
class Teller {
 public:
  explicit Teller(const FetchTools& tools) : tools_(tools) {}

  void Take(std::string_view line) {
    auto said = ParseDownloadLine(line);
    if (!said) return;
    if (const auto* progress = std::get_if<DownloadProgress>(&*said)) return Note(*progress);
    if (const auto* note = std::get_if<DownloadNote>(&*said)) {
      if (++notes_ <= kMaxNotes && tools_.note) tools_.note(archive::Printable(note->text));
    } else if (auto* error = std::get_if<Error>(&*said)) {
      error_ = std::move(*error);
    } else {
      done_ = std::get<Downloaded>(*said);
    }
  }

  const std::optional<Error>& error() const { return error_; }
  const std::optional<Downloaded>& done() const { return done_; }

 private:
  void Note(const DownloadProgress& progress) {
    if (!tools_.note || SteadyNow() < next_) return;
    next_ = SteadyNow() + kNoteEvery;
    tools_.note(HumanBytes(progress.bytes) +
                (progress.of ? " of " + HumanBytes(*progress.of) : ""));
  }

  const FetchTools& tools_;
  SteadyTime next_ = SteadyNow() + kNoteFirst;
  size_t notes_ = 0;
  std::optional<Error> error_{};
  std::optional<Downloaded> done_{};
};

bool IsOfNetwork(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kTimeout;
}

// As the downloader says it: its words are as much to be believed as the server that it spoke with.
Error SaidError(const Error& said, const std::string& shown) {
  Error error(said.code(), said.fault(),
              "ADD of " + shown + ": " + archive::Printable(said.message()));
  if (!said.remedy().empty())
    return std::move(error).WithRemedy(archive::Printable(said.remedy().text()));
  return IsOfNetwork(said.code()) ? WithNetworkRemedy(std::move(error)) : error;
}

Result<std::shared_ptr<const Fd>> OpenContent(const templates::NewLayer& layer) {
  const Fd root = TRY(templates::OpenLayerRoot(layer.root()));
  const Fd directory = TRY(archive::OpenDirectoryBeneath(root, kFetchedDirectory, O_RDONLY));
  const int raw = ::openat(directory.get(), std::string(kDownloadedFile).c_str(),
                           O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (raw < 0) return Failure(Error::FromErrno("opening what was fetched"));
  auto file = std::make_shared<const Fd>(Fd::Adopt(raw));
  struct stat info{};
  if (::fstat(raw, &info) < 0) return Failure(Error::FromErrno("looking at what was fetched"));
  if (!S_ISREG(info.st_mode)) {
    return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, "what was fetched became no file"));
  }
  return file;
}

Result<void> CheckContent(const FetchTools& tools, const Fd& file, const std::string& checksum,
                          const std::string& shown) {
  const Digest expected = TRY(Digest::Parse(checksum));
  auto digester = TRY(templates::oci::Digester::Start(expected.algorithm()));
  std::vector<char> piece(kPiece);
  for (off_t at = 0;;) {
    TRY(CheckWanted(tools.stop));
    const ssize_t got = ::pread(file.get(), piece.data(), piece.size(), at);
    if (got < 0) return Failure(Error::FromErrno("reading what was fetched"));
    if (got == 0) break;
    at += got;
    TRY(digester.Add({piece.data(), static_cast<size_t>(got)}));
  }
  const Digest is = TRY(std::move(digester).Finish());
  if (is == expected) return {};
  return Failure(Error(ErrorCode::kProtocol, Fault::kCaller,
                       "ADD of " + shown + ": what is there is " + is.text() +
                           ", and --checksum says " + expected.text()));
}

Bytes MostBytes(const FetchTools& tools) {
  return std::min(kMaxFetchedFile, tools.limits.limits.disk);
}

}  // namespace

Result<FetchedContent> FetchFile(const FetchTools& tools, const RemoteFile& remote,
                                 const std::string& checksum) {
  DownloadRequest request{.url = remote.where.Origin() + remote.where.target,
                          .authorization = remote.authorization,
                          .max_bytes = MostBytes(tools),
                          .is_pinned = !checksum.empty()};
  if (!tools.authorities.empty()) request.authorities = kAuthoritiesFile;
  RunStep step;
  step.argv = {std::string(kProgram), kDownloadCommand};
  const int program = ::open(tools.downloader.c_str(), O_RDONLY | O_CLOEXEC);
  if (program < 0) return Failure(Error::FromErrno("opening the program that fetches"));
  step.files.push_back(
      {.path = std::string(kProgram), .source = std::make_shared<const Fd>(Fd::Adopt(program))});
  step.secrets.push_back(
      {.target = std::string(kDownloadRequestFile), .content = DownloadRequestText(request)});
  Teller teller(tools);
  auto run = RunFetch(tools, std::move(step), [&](std::string_view line) { teller.Take(line); });
  if (!run) return Failure(std::move(run).error().WithContext("ADD of " + remote.shown));
  if (!run->end.succeeded()) {
    // A full disk has its own words there.
    const bool is_told = teller.error() && !run->end.disk_full && !run->end.timed_out;
    return Failure(is_told ? SaidError(*teller.error(), remote.shown)
                           : FetchError(tools, *run, remote.shown));
  }
  auto file = OpenContent(run->layer);
  if (!file) return Failure(std::move(file).error().WithContext("ADD of " + remote.shown));
  if (!checksum.empty()) TRY(CheckContent(tools, **file, checksum, remote.shown));
  FetchedContent content{.layer = std::move(run->layer), .file = *std::move(file)};
  if (teller.done() && teller.done()->modified_unix) {
    const int64_t modified = *teller.done()->modified_unix;
    if (modified >= 0 && modified <= kMaxUnixTime)
      content.mtime = archive::Timestamp{.seconds = modified};
  }
  return content;
}

}  // namespace cay::build
