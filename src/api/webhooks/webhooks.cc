#include "api/webhooks/webhooks.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "api/gate/secret.h"
#include "api/webhooks/webhook_rules.h"
#include "api/webhooks/webhook_sender.h"
#include "api/webhooks/webhook_target.h"
#include "base/clock.h"
#include "base/os/log.h"
#include "json/field_writer.h"
#include "sandbox/fields.h"
#include "sandbox/rules/spec_rules.h"

namespace cay::api {
namespace {

using sandbox::Event;
using sandbox::EventLog;
using store::Database;

constexpr size_t kSenders = 4;
constexpr size_t kBatch = 500;
constexpr Millis kPatience{1000};       // of a wait for events
constexpr Millis kAfterError{5000};     // before the store is tried again
constexpr uint64_t kCursorEvery = 200;  // events that nobody wanted, before the place is written
constexpr size_t kIdLength = 12;
constexpr size_t kSecretLength = 40;
constexpr size_t kMaxError = 512;

Error NoSuchWebhook(const std::string& id) {
  return Error(ErrorCode::kNotFound, Fault::kCaller, "there is no webhook " + id)
      .WithRemedy(Remedy(Action::kListWebhooks) + " lists them");
}

bool Wants(const Webhook& hook, const Event& event) {
  return event.unix_ms >= hook.created_unix_ms &&
         (hook.owner.empty() || hook.owner == event.owner) && MatchesAny(hook.events, event.type);
}

Result<Webhook> MakeWebhook(const WebhookSpec& spec) {
  if (spec.events.empty() || spec.events.size() > kMaxPatterns) {
    return Failure(
        Error::Invalid("\"events\" must have 1 to " + std::to_string(kMaxPatterns) + " patterns"));
  }
  for (const std::string& pattern : spec.events) TRY(CheckPattern(pattern));
  if (spec.secret) TRY(CheckWebhookSecret(*spec.secret));
  if (!spec.owner.empty()) TRY(sandbox::CheckOwnerName(spec.owner));
  Webhook hook;
  hook.id = TRY(RandomText(kIdLength));
  hook.url = spec.url;
  hook.events = spec.events;
  hook.owner = spec.owner;
  hook.secret = spec.secret ? *spec.secret : "whsec_" + TRY(RandomText(kSecretLength));
  hook.created_unix_ms = UnixMs();
  return hook;
}

}  // namespace

class Webhooks::Impl {
 public:
  Impl(const WebhookOptions& options, store::Store& store, EventLog& events,
       std::vector<Webhook> hooks, uint64_t cursor)
      : store_(store),
        events_(events),
        options_(options),
        hooks_(std::move(hooks)),
        cursor_(cursor),
        written_(cursor) {
    follower_ = std::thread([this] { Follow(); });
    for (std::thread& sender : senders_) sender = std::thread([this] { SendAll(); });
  }

  ~Impl() {
    Stop();
    follower_.join();
    for (std::thread& sender : senders_) sender.join();
  }

  void Stop() {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }

  Result<Webhook> Create(const WebhookSpec& spec) {
    const WebhookOptions options = Options();
    const WebhookTarget target = TRY(WebhookTarget::Parse(spec.url));
    // A name that is not known yet may be later; each attempt looks again.
    const auto addresses = AllowedAddresses(target.url, options.allow_private);
    if (!addresses && addresses.error().code() == ErrorCode::kPermissionDenied) {
      return Failure(addresses.error());
    }
    Webhook hook = TRY(MakeWebhook(spec));
    TRY(store_.WriteDurably(
        [&](Database& db) { return InsertWebhook(db, hook, options.max_webhooks); }));
    const std::lock_guard lock(mutex_);
    hooks_.push_back(hook);
    changed_.notify_all();
    return hook;
  }

  Result<void> Delete(const std::string& id) {
    TRY(store_.WriteDurably([&](Database& db) { return DeleteWebhook(db, id); }));
    const std::lock_guard lock(mutex_);
    std::erase_if(hooks_, [&](const Webhook& hook) { return hook.id == id; });
    return {};
  }

  std::vector<Webhook> List() const {
    const std::lock_guard lock(mutex_);
    return hooks_;
  }

  Result<std::vector<Delivery>> Deliveries(const std::string& id, uint64_t limit) {
    if (!Find(id)) return Failure(NoSuchWebhook(id));
    std::vector<Delivery> deliveries;
    TRY(store_.Read([&](Database& db) -> Result<void> {
      deliveries = TRY(ReadDeliveries(db, id, limit));
      return {};
    }));
    return deliveries;
  }

  void Reconfigure(const WebhookOptions& options) {
    const std::lock_guard lock(mutex_);
    options_ = options;
    changed_.notify_all();
  }

  Metrics GetMetrics() {
    Metrics metrics = {.delivered = delivered_,
                       .failed = failed_,
                       .dropped = dropped_,
                       .attempts_failed = attempts_failed_,
                       .events_missed = missed_,
                       .waiting = 0};
    const auto read = store_.Read([&](Database& db) -> Result<void> {
      metrics.waiting = TRY(CountWaiting(db));
      return {};
    });
    if (!read) LogWarning("webhooks: " + read.error().ToString());
    return metrics;
  }

 private:
  WebhookOptions Options() const {
    const std::lock_guard lock(mutex_);
    return options_;
  }

  std::optional<Webhook> Find(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(hooks_, id, &Webhook::id);
    return found == hooks_.end() ? std::nullopt : std::optional(*found);
  }

  // Whether to go on.
  bool WaitFor(Millis time) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, time, [this] { return stopping_; });
    return !stopping_;
  }

  Result<bool> Pass();
  void Follow();
  Result<void> Take(const EventLog::Batch& batch);
  void SendAll();
  Result<std::optional<Delivery>> Claim();
  void Attempt(const Delivery& delivery);
  Delivery Outcome(Delivery delivery, const Result<int>& answer, const WebhookOptions& options);

  store::Store& store_;
  EventLog& events_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;  // options, deliveries, or the end
  WebhookOptions options_;
  std::vector<Webhook> hooks_;
  std::set<std::string> busy_;  // webhooks to which an attempt is on its way
  uint64_t news_ = 0;           // counts what a sender that waits must look at
  bool stopping_ = false;
  uint64_t cursor_;   // the follower's: the last event that it has seen
  uint64_t written_;  // … and that the store knows of
  std::atomic<uint64_t> delivered_ = 0;
  std::atomic<uint64_t> failed_ = 0;
  std::atomic<uint64_t> dropped_ = 0;
  std::atomic<uint64_t> attempts_failed_ = 0;
  std::atomic<uint64_t> missed_ = 0;
  std::thread follower_;
  std::array<std::thread, kSenders> senders_;
};

// While there is no webhook nothing that happens is looked at, and nobody who makes it happen wakes
// this thread. False when there is one.
Result<bool> Webhooks::Impl::Pass() {
  // Read before: what a webhook that comes meanwhile is to be told happens after it.
  const uint64_t last = events_.last_id();
  {
    const std::lock_guard lock(mutex_);
    if (!hooks_.empty()) return false;
  }
  EventLog::Batch nothing;
  nothing.last = last;
  TRY(Take(nothing));
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kPatience, [this] { return stopping_ || !hooks_.empty(); });
  return true;
}

void Webhooks::Impl::Follow() {
  while (WaitFor(Millis(0))) {
    const auto passed = Pass();
    if (!passed) {
      LogWarning("webhooks: " + passed.error().ToString());
      WaitFor(kAfterError);
    }
    if (!passed || *passed) continue;
    const auto begin = std::chrono::steady_clock::now();
    const auto batch = events_.After(cursor_, {}, kBatch, kPatience);
    if (batch.last <= cursor_ && batch.events.empty()) {
      // A log that was closed answers at once.
      if (std::chrono::steady_clock::now() - begin < kPatience / 2) WaitFor(kPatience);
      continue;
    }
    const auto taken = Take(batch);
    if (!taken) {
      LogWarning("webhooks: " + taken.error().ToString());
      WaitFor(kAfterError);
    }
  }
}

// Makes deliveries of a batch, and moves on.
Result<void> Webhooks::Impl::Take(const EventLog::Batch& batch) {
  const std::vector<Webhook> hooks = List();
  const uint64_t end = std::max(batch.last, cursor_);
  const int64_t now = UnixMs();
  std::vector<Delivery> made;
  for (const Event& event : batch.events) {
    JsonWriter json;
    for (const Webhook& hook : hooks) {
      if (!Wants(hook, event)) continue;
      if (json.text().empty()) WriteObject<sandbox::fields::Event>(json, event);
      Delivery delivery;
      delivery.webhook = hook.id;
      delivery.event = static_cast<int64_t>(event.id);
      delivery.type = event.type;
      delivery.body = json.text();
      delivery.created_unix_ms = now;
      delivery.next_unix_ms = now;
      made.push_back(std::move(delivery));
    }
  }
  uint64_t dropped = 0;
  if (!made.empty() || end - written_ >= kCursorEvery) {
    const WebhookOptions options = Options();
    TRY(store_.Write([&](Database& db) -> Result<void> {
      for (const Delivery& delivery : made) TRY(InsertDelivery(db, delivery));
      dropped = TRY(BoundDeliveries(db, options.max_queued, now));
      if (dropped != 0) {
        for (const Webhook& hook : hooks) TRY(TrimDeliveries(db, hook.id, options.kept));
      }
      return WriteWebhookCursor(db, static_cast<int64_t>(end));
    }));
    written_ = end;
  }
  if (batch.missed_up_to > cursor_ && cursor_ != 0 && !hooks.empty()) {
    missed_ += batch.missed_up_to - cursor_;
    LogWarning("webhooks: events were forgotten before they became deliveries");
  }
  cursor_ = end;
  dropped_ += dropped;
  if (!made.empty()) {
    const std::lock_guard lock(mutex_);
    ++news_;
    changed_.notify_all();
  }
  return {};
}

void Webhooks::Impl::SendAll() {
  while (WaitFor(Millis(0))) {
    auto claimed = Claim();
    if (!claimed) {
      LogWarning("webhooks: " + claimed.error().ToString());
      WaitFor(kAfterError);
    } else if (*claimed) {
      Attempt(**claimed);
    }
  }
}

// What is due, its webhook made busy; nothing after a wait for it.
Result<std::optional<Delivery>> Webhooks::Impl::Claim() {
  std::unique_lock lock(mutex_);
  const uint64_t seen = news_;
  const std::set<std::string> busy = busy_;
  lock.unlock();
  std::optional<Delivery> next;
  TRY(store_.Read([&](Database& db) -> Result<void> {
    next = TRY(NextDelivery(db, [&](const std::string& hook) { return !busy.contains(hook); }));
    return {};
  }));
  lock.lock();
  if (stopping_ || news_ != seen) return std::optional<Delivery>();
  const int64_t now = UnixMs();
  if (next && next->next_unix_ms <= now) {
    busy_.insert(next->webhook);
    ++news_;  // the others must not take what they have read
    return next;
  }
  const auto changed = [&] { return stopping_ || news_ != seen; };
  if (next) {
    // The wall clock may be set: look again at least so often.
    changed_.wait_for(lock, std::min<Millis>(Millis(next->next_unix_ms - now), Millis(60'000)),
                      changed);
  } else {
    changed_.wait(lock, changed);
  }
  return std::optional<Delivery>();
}

// What the answer makes of a delivery.
Delivery Webhooks::Impl::Outcome(Delivery delivery, const Result<int>& answer,
                                 const WebhookOptions& options) {
  const int64_t now = UnixMs();
  ++delivery.attempts;
  delivery.status = answer ? std::optional<int64_t>(*answer) : std::nullopt;
  if (answer && *answer >= 200 && *answer < 300) {
    delivery.error.clear();
    delivery.state = "delivered";
    delivery.ended_unix_ms = now;
    ++delivered_;
    return delivery;
  }
  ++attempts_failed_;
  delivery.error =
      answer ? "the receiver answered " + std::to_string(*answer) : answer.error().ToString();
  if (delivery.error.size() > kMaxError) delivery.error.resize(kMaxError);
  if (delivery.attempts >= options.max_attempts) {
    delivery.state = "failed";
    delivery.ended_unix_ms = now;
    ++failed_;
  } else {
    delivery.next_unix_ms = now + RetryDelay(options.first_retry, delivery.attempts).count();
  }
  return delivery;
}

void Webhooks::Impl::Attempt(const Delivery& delivery) {
  const WebhookOptions options = Options();
  const std::string id = delivery.webhook;
  // Without it, it was deleted meanwhile, with its deliveries.
  if (const auto hook = Find(id)) {
    const Delivery after = Outcome(delivery, SendDelivery(*hook, delivery, options), options);
    // Until this is written it would be sent again and again.
    for (;;) {
      const auto written =
          store_.Write([&](Database& db) { return UpdateDelivery(db, after, options.kept); });
      if (written) break;
      LogWarning("webhooks: " + written.error().ToString());
      if (!WaitFor(kAfterError)) break;
    }
  }
  const std::lock_guard lock(mutex_);
  busy_.erase(id);
  ++news_;
  changed_.notify_all();
}

Webhooks::Webhooks(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Webhooks::~Webhooks() = default;

Result<std::unique_ptr<Webhooks>> Webhooks::Open(const WebhookOptions& options, store::Store& store,
                                                 EventLog& events) {
  std::vector<Webhook> hooks;
  int64_t cursor = 0;
  TRY(store.Read([&](Database& db) -> Result<void> {
    hooks = TRY(ReadWebhooks(db));
    cursor = TRY(ReadWebhookCursor(db));
    return {};
  }));
  return std::unique_ptr<Webhooks>(new Webhooks(std::make_unique<Impl>(
      options, store, events, std::move(hooks), static_cast<uint64_t>(cursor))));
}

Result<Webhook> Webhooks::Create(const WebhookSpec& spec) { return impl_->Create(spec); }
Result<void> Webhooks::Delete(const std::string& id) { return impl_->Delete(id); }
std::vector<Webhook> Webhooks::List() const { return impl_->List(); }
Result<std::vector<Delivery>> Webhooks::Deliveries(const std::string& id, uint64_t limit) {
  return impl_->Deliveries(id, limit);
}
void Webhooks::Reconfigure(const WebhookOptions& options) { impl_->Reconfigure(options); }
void Webhooks::Stop() { impl_->Stop(); }
Webhooks::Metrics Webhooks::GetMetrics() { return impl_->GetMetrics(); }

}  // namespace cay::api
