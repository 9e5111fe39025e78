#include "network/resolver/resolver.h"

#include <algorithm>
#include <cerrno>
#include <functional>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/os/log.h"
#include "base/text.h"
#include "network/policy/rule.h"
#include "network/resolver/address_order.h"
#include "network/resolver/dns_channel.h"
#include "network/resolver/machine_names.h"
#include "network/resolver/name_cache.h"

namespace cay::network {
namespace {

using Clock = EventLoop::Clock;
using Outcome = NameCache::Outcome;

// A channel's source ports are those of all its questions; each new one begins with new ports. The
// bound on channels is one on sockets and memory (75 KiB each); beyond it ports are used longer.
constexpr size_t kLookupsOfAChannel = 256;
constexpr ptrdiff_t kMaxChannels = 16;

constexpr std::chrono::seconds kFilesLookedAt{1};

// Of whose last label nothing but digits is left: "127.1", which inet_aton(3) takes for an address.
bool LooksLikeAnAddress(std::string_view name) {
  const std::string_view last = name.substr(name.rfind('.') + 1);
  return Address::Parse(name).has_value() ||
         last.find_first_not_of("0123456789") == std::string_view::npos;
}

Result<std::string> NameToAsk(const std::string& name) {
  std::optional<std::string> normal = NormalName(name);
  if (!normal) return Failure(Error::Invalid("\"" + name + "\" is no name of a host"));
  if (LooksLikeAnAddress(*normal)) {
    return Failure(Error::Invalid("\"" + name + "\" is an address, and no name to be resolved"));
  }
  return *std::move(normal);
}

std::vector<Address> Ordered(std::span<const Address> v6, std::span<const Address> v4) {
  std::vector<Address> addresses =
      OrderForDialling(v6, v4, [](const Address& to) { return SourceFor(to); });
  if (addresses.size() > Resolver::kMaxAddresses) addresses.resize(Resolver::kMaxAddresses);
  return addresses;
}

}  // namespace

// What the Resolver and its tickets share. Nothing of a user's runs inside c-ares: its answers are
// written down, and a timer that is due at once hands them out.
class Resolver::Core final : public std::enable_shared_from_this<Core>, private EventLoop::Timer {
 public:
  Core(EventLoop& loop, const ResolverOptions& options)
      : loop_(loop),
        options_(options),
        hosts_file_(options.hosts_file),
        resolv_conf_(options.resolv_conf) {}

  Result<void> Start();
  uint64_t Ask(const std::string& name, Done done);
  uint64_t AskForRecords(const std::string& name, QuestionType type, RecordsDone done);
  void Cancel(uint64_t id);
  void Close();

 private:
  struct Question {
    Done done{};
    RecordsDone records_done{};  // one of these
    uint64_t lookup = 0;         // 0: its outcome is there
  };
  // One name on its way, for all who ask for its addresses, or for one who asks for records.
  struct Lookup {
    std::string name;
    std::optional<QuestionType> type;  // nothing: both of addresses
    uint64_t generation = 0;           // of the name servers
    std::string servers;
    Clock::time_point deadline;
    std::vector<uint64_t> questions;
    std::optional<Result<DnsAnswer>> v6, v4, records;
  };
  struct Ready {
    uint64_t question;
    std::shared_ptr<const Outcome> outcome;            // of addresses
    std::shared_ptr<const Result<DnsAnswer>> records;  // or of records
  };

  void OnTime() override;
  void SetTimer();
  void HandOut();
  void EndLate(Clock::time_point now);

  Result<void> LookAtFiles();
  void LookAtFilesAgain(Clock::time_point now);
  std::optional<Outcome> KnownOutcome(const std::string& name, Clock::time_point now);

  void Tell(uint64_t question, Outcome outcome);
  Result<std::string> Prepare(const std::string& name, bool full);
  Result<void> Begin(const std::string& name, uint64_t question);
  Result<uint64_t> BeginLookup(const std::string& name, std::optional<QuestionType> type,
                               uint64_t question);
  Result<DnsChannel*> Channel();
  void OnAnswer(uint64_t id, QuestionType type, Result<DnsAnswer> answer);
  void SetDeadline(uint64_t id, Lookup& lookup, Clock::time_point deadline);
  void End(uint64_t id);
  Outcome OutcomeOf(const Lookup& lookup) const;
  std::shared_ptr<const Result<DnsAnswer>> RecordsOf(const Lookup& lookup) const;
  Error WhyNot(const Lookup& lookup, const std::optional<Result<DnsAnswer>>& part) const;
  void Keep(const Lookup& lookup, const Outcome& outcome);

  EventLoop& loop_;
  const ResolverOptions options_;
  WatchedFile hosts_file_;
  WatchedFile resolv_conf_;
  Clock::time_point files_looked_at_;
  HostNames hosts_;
  std::vector<NameServer> servers_;
  uint64_t generation_ = 0;
  NameCache cache_;

  uint64_t last_id_ = 0;  // of questions and lookups
  std::unordered_map<uint64_t, Question> questions_;
  std::unordered_map<uint64_t, Lookup> lookups_;
  std::unordered_map<std::string, uint64_t> lookup_of_name_;  // of this generation
  std::set<std::pair<Clock::time_point, uint64_t>> deadlines_;
  std::vector<Ready> ready_;

  std::vector<std::unique_ptr<DnsChannel>> channels_;  // new questions are the last one's
  size_t lookups_of_last_channel_ = 0;
  uint64_t generation_of_last_channel_ = 0;
  bool closed_ = false;
};

Result<void> Resolver::Core::Start() {
  if (options_.timeout < Millis(1) || options_.timeout > ResolverOptions::kMaxTimeout) {
    return Failure(Error::Invalid("a resolver's timeout is from 1 ms to " +
                                  FormatDuration(ResolverOptions::kMaxTimeout)));
  }
  if (options_.max_pending == 0 || options_.max_pending > ResolverOptions::kMaxPending) {
    return Failure(Error::Invalid("a resolver's bound on questions is from 1 to " +
                                  std::to_string(ResolverOptions::kMaxPending)));
  }
  servers_ = TRY(ParseNameServers(options_.servers, ResolverOptions::kMaxServers));
  files_looked_at_ = Clock::now();
  return LookAtFiles();
}

Result<void> Resolver::Core::LookAtFiles() {
  if (const std::optional<std::string> text = TRY(hosts_file_.Changed())) {
    hosts_ = ParseHosts(*text);
  }
  if (!options_.servers.empty()) return {};
  const std::optional<std::string> text = TRY(resolv_conf_.Changed());
  if (!text) return {};
  ResolvConf conf = ParseResolvConf(*text);
  for (const std::string& server : conf.unusable) {
    LogWarning(resolv_conf_.path() + " names \"" + server + "\", which is not asked for names");
  }
  if (conf.servers == servers_) return {};
  servers_ = std::move(conf.servers);
  ++generation_;
  cache_.Clear();
  lookup_of_name_.clear();
  return {};
}

void Resolver::Core::LookAtFilesAgain(Clock::time_point now) {
  if (now - files_looked_at_ < kFilesLookedAt) return;
  files_looked_at_ = now;
  if (const Result<void> looked = LookAtFiles(); !looked) LogWarning(looked.error().ToString());
}

uint64_t Resolver::Core::Ask(const std::string& name, Done done) {
  const uint64_t id = ++last_id_;
  const bool full = questions_.size() >= options_.max_pending;
  questions_.emplace(id, Question{.done = std::move(done)});
  const Result<std::string> wanted = Prepare(name, full);
  if (!wanted) {
    Tell(id, Failure(wanted.error()));
  } else if (std::optional<Outcome> known = KnownOutcome(*wanted, Clock::now())) {
    Tell(id, *std::move(known));
  } else if (Result<void> begun = Begin(*wanted, id); !begun) {
    Tell(id, Failure(std::move(begun).error()));
  }
  SetTimer();
  return id;
}

// The name as it is asked for.
Result<std::string> Resolver::Core::Prepare(const std::string& name, bool full) {
  if (full) {
    return Failure(
        Error::Busy(std::to_string(options_.max_pending) + " names are being resolved already"));
  }
  std::string wanted = TRY(NameToAsk(name));
  LookAtFilesAgain(Clock::now());
  return wanted;
}

uint64_t Resolver::Core::AskForRecords(const std::string& name, QuestionType type,
                                       RecordsDone done) {
  const uint64_t id = ++last_id_;
  const bool full = questions_.size() >= options_.max_pending;
  questions_.emplace(id, Question{.records_done = std::move(done)});
  const auto begun = [&]() -> Result<void> {
    const std::string wanted = TRY(Prepare(name, full));
    const uint64_t lookup = TRY(BeginLookup(wanted, type, id));
    channels_.back()->Ask(lookup, wanted, type);
    return {};
  }();
  if (!begun) {
    ready_.push_back(
        {id, nullptr, std::make_shared<const Result<DnsAnswer>>(Failure(begun.error()))});
  }
  SetTimer();
  return id;
}

std::optional<Outcome> Resolver::Core::KnownOutcome(const std::string& name,
                                                    Clock::time_point now) {
  if (const auto found = hosts_.find(name); found != hosts_.end()) {
    std::vector<Address> v6, v4;
    for (const Address& address : found->second) {
      (address.family() == Family::kV6 ? v6 : v4).push_back(address);
    }
    return Ordered(v6, v4);
  }
  if (const Outcome* known = cache_.Find(name, now)) return *known;
  return std::nullopt;
}

void Resolver::Core::Tell(uint64_t question, Outcome outcome) {
  ready_.push_back({question, std::make_shared<const Outcome>(std::move(outcome)), nullptr});
  SetTimer();
}

// Joins the lookup of this name, or begins one.
Result<void> Resolver::Core::Begin(const std::string& name, uint64_t question) {
  if (const auto found = lookup_of_name_.find(name); found != lookup_of_name_.end()) {
    lookups_.at(found->second).questions.push_back(question);
    questions_.at(question).lookup = found->second;
    return {};
  }
  const uint64_t id = TRY(BeginLookup(name, std::nullopt, question));
  lookup_of_name_[name] = id;
  // Either may be answered in Ask, and with both the lookup is over.
  DnsChannel& channel = *channels_.back();
  channel.Ask(id, name, QuestionType::kAaaa);
  channel.Ask(id, name, QuestionType::kA);
  return {};
}

// Its questions are the last channel's to ask.
Result<uint64_t> Resolver::Core::BeginLookup(const std::string& name,
                                             std::optional<QuestionType> type, uint64_t question) {
  size_t under_way = 2;
  for (const auto& channel : channels_) under_way += channel->under_way();
  if (under_way > 2 * options_.max_pending) {
    return Failure(Error::Busy("queries to name servers are under way for " +
                               std::to_string(options_.max_pending) + " names already"));
  }
  DnsChannel* channel = TRY(Channel());
  const uint64_t id = ++last_id_;
  Lookup& lookup = lookups_[id];
  lookup.name = name;
  lookup.type = type;
  lookup.generation = generation_;
  lookup.servers = channel->servers();
  lookup.questions.push_back(question);
  questions_.at(question).lookup = id;
  SetDeadline(id, lookup, Clock::now() + options_.timeout);
  return id;
}

Result<DnsChannel*> Resolver::Core::Channel() {
  const bool current = !channels_.empty() && generation_of_last_channel_ == generation_;
  const bool fresh = lookups_of_last_channel_ < kLookupsOfAChannel;
  if (!current || !fresh) {
    const auto busy = [](const auto& channel) { return channel->under_way() > 0; };
    if (!current || std::ranges::count_if(channels_, busy) < kMaxChannels) {
      std::unique_ptr<DnsChannel> channel = TRY(
          DnsChannel::Create(loop_, servers_, options_.timeout,
                             [this](uint64_t lookup, QuestionType type, Result<DnsAnswer> answer) {
                               OnAnswer(lookup, type, std::move(answer));
                             }));
      std::erase_if(channels_, std::not_fn(busy));
      channels_.push_back(std::move(channel));
      lookups_of_last_channel_ = 0;
      generation_of_last_channel_ = generation_;
    }
  }
  ++lookups_of_last_channel_;
  return channels_.back().get();
}

void Resolver::Core::OnAnswer(uint64_t id, QuestionType type, Result<DnsAnswer> answer) {
  const auto found = lookups_.find(id);
  if (found == lookups_.end()) return;  // too late
  Lookup& lookup = found->second;
  if (lookup.type) {
    lookup.records = std::move(answer);
    End(id);
    return;
  }
  // What this machine has no way to is not worth having soon.
  const bool enough = answer && !answer->addresses.empty() && SourceFor(answer->addresses.front());
  (type == QuestionType::kAaaa ? lookup.v6 : lookup.v4) = std::move(answer);
  if (lookup.v6 && lookup.v4) {
    End(id);
  } else if (enough) {
    SetDeadline(id, lookup, std::min(lookup.deadline, Clock::now() + kOtherFamilyWait));
    SetTimer();
  }
}

void Resolver::Core::SetDeadline(uint64_t id, Lookup& lookup, Clock::time_point deadline) {
  deadlines_.erase({lookup.deadline, id});
  lookup.deadline = deadline;
  deadlines_.emplace(deadline, id);
}

void Resolver::Core::End(uint64_t id) {
  const auto node = lookups_.extract(id);
  const Lookup& lookup = node.mapped();
  deadlines_.erase({lookup.deadline, id});
  if (const auto named = lookup_of_name_.find(lookup.name);
      named != lookup_of_name_.end() && named->second == id) {
    lookup_of_name_.erase(named);
  }
  Ready ready{};
  if (lookup.type) {
    ready.records = RecordsOf(lookup);
  } else {
    ready.outcome = std::make_shared<const Outcome>(OutcomeOf(lookup));
    Keep(lookup, *ready.outcome);
  }
  for (const uint64_t question : lookup.questions) {
    questions_.at(question).lookup = 0;
    ready.question = question;
    ready_.push_back(ready);
  }
  SetTimer();
}

Outcome Resolver::Core::OutcomeOf(const Lookup& lookup) const {
  const auto addresses = [](const std::optional<Result<DnsAnswer>>& part) {
    return part && *part ? std::span<const Address>((*part)->addresses)
                         : std::span<const Address>();
  };
  if (!addresses(lookup.v6).empty() || !addresses(lookup.v4).empty()) {
    return Ordered(addresses(lookup.v6), addresses(lookup.v4));
  }
  bool exists = true;
  for (const auto* part : {&lookup.v6, &lookup.v4}) {
    if (!*part || !**part) return Failure(WhyNot(lookup, *part));
    exists = exists && (**part)->rcode != DnsAnswer::kNoSuchName;
  }
  Error none(ErrorCode::kNotFound, Fault::kCaller,
             lookup.name + (exists ? " has no address" : " does not exist"));
  if (exists) none.set_sys_errno(ENODATA);
  return Failure(std::move(none));
}

std::shared_ptr<const Result<DnsAnswer>> Resolver::Core::RecordsOf(const Lookup& lookup) const {
  if (lookup.records && *lookup.records)
    return std::make_shared<const Result<DnsAnswer>>(*lookup.records);
  return std::make_shared<const Result<DnsAnswer>>(Failure(WhyNot(lookup, lookup.records)));
}

Error Resolver::Core::WhyNot(const Lookup& lookup,
                             const std::optional<Result<DnsAnswer>>& part) const {
  const std::string why =
      part ? part->error().message()
           : "no answer from " + lookup.servers + " within " + FormatDuration(options_.timeout);
  return {ErrorCode::kUnavailable, Fault::kMachine, lookup.name + " cannot be resolved: " + why};
}

void Resolver::Core::Keep(const Lookup& lookup, const Outcome& outcome) {
  if (lookup.generation != generation_) return;
  std::chrono::seconds holds = kMaxHold;
  if (outcome) {
    for (const auto* part : {&lookup.v6, &lookup.v4}) {
      if (!*part || !**part) {
        holds = std::min(holds, kPartialHold);
      } else if (!(**part)->addresses.empty()) {
        holds = std::min(holds, std::chrono::seconds((**part)->ttl_seconds));
      }
    }
  } else {
    if (outcome.error().code() != ErrorCode::kNotFound) return;
    holds = kNegativeHold;
  }
  cache_.Put(lookup.name, outcome, holds, Clock::now());
}

void Resolver::Core::EndLate(Clock::time_point now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    End(deadlines_.begin()->second);
  }
}

void Resolver::Core::OnTime() {
  const std::shared_ptr<Core> self = shared_from_this();  // a `done` may destroy the Resolver
  EndLate(Clock::now());
  HandOut();
  if (!closed_) SetTimer();
}

void Resolver::Core::HandOut() {
  // What a `done` asks and is known comes in the next round.
  const std::vector<Ready> ready = std::exchange(ready_, {});
  for (const Ready& item : ready) {
    const auto node = questions_.extract(item.question);
    if (node.empty()) continue;  // cancelled
    if (item.records) {
      node.mapped().records_done(*item.records);
    } else {
      node.mapped().done(*item.outcome);
    }
    if (closed_) return;
  }
}

void Resolver::Core::SetTimer() {
  if (!ready_.empty()) {
    loop_.SetTimer(*this, Clock::now());
  } else if (!deadlines_.empty()) {
    loop_.SetTimer(*this, deadlines_.begin()->first);
  } else {
    loop_.CancelTimer(*this);
  }
}

void Resolver::Core::Cancel(uint64_t id) {
  // What `done` holds is destroyed when all else is done: it may hold tickets.
  const auto node = questions_.extract(id);
  if (node.empty()) return;
  if (const auto found = lookups_.find(node.mapped().lookup); found != lookups_.end()) {
    std::erase(found->second.questions, id);
  }
}

void Resolver::Core::Close() {
  closed_ = true;
  loop_.CancelTimer(*this);
  channels_.clear();
  lookups_.clear();
  deadlines_.clear();
  ready_.clear();
  const auto questions = std::exchange(questions_, {});
}

Resolver::Ticket::Ticket(Ticket&& other) noexcept
    : core_(std::move(other.core_)), id_(std::exchange(other.id_, 0)) {}

Resolver::Ticket& Resolver::Ticket::operator=(Ticket&& other) noexcept {
  if (this != &other) {
    Cancel();
    core_ = std::move(other.core_);
    id_ = std::exchange(other.id_, 0);
  }
  return *this;
}

void Resolver::Ticket::Cancel() {
  const std::shared_ptr<Core> core = std::exchange(core_, {}).lock();
  if (core && id_ != 0) core->Cancel(std::exchange(id_, 0));
}

Result<std::unique_ptr<Resolver>> Resolver::Create(EventLoop& loop,
                                                   const ResolverOptions& options) {
  auto core = std::make_shared<Core>(loop, options);
  TRY(core->Start());
  return std::unique_ptr<Resolver>(new Resolver(std::move(core)));
}

Resolver::~Resolver() { core_->Close(); }

Resolver::Ticket Resolver::Resolve(const std::string& name, Done done) {
  const uint64_t id = core_->Ask(name, std::move(done));
  return {core_, id};
}

Resolver::Ticket Resolver::ResolveRecords(const std::string& name, QuestionType type,
                                          RecordsDone done) {
  const uint64_t id = core_->AskForRecords(name, type, std::move(done));
  return {core_, id};
}

}  // namespace cay::network
