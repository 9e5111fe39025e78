// What the native engine and its launcher say to each other: one request packet, one reply packet,
// in order.
//
//   request   [operation, id, …]     as CBOR; what follows the id depends on the operation
//   reply     [true, …]              or [false, the error]; Create, Start, Reset, Visit, Connect and Watch bring a
//                                    descriptor, Network and Written several, CreateWithNetwork
//                                    both (network/network_packet.h)
//
// The launcher's client is trusted with what it asks for (it runs as the same user, or as an
// administrator's server), but everything it sends is checked all the same.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "protocol/cbor.h"

namespace cay::engine::native {

enum class Operation : uint8_t {
  kCreate,
  kDestroy,
  kStop,
  kStart,
  kPause,
  kResume,
  kUpdate,
  kStats,
  kConnect,
  kWatch,
  kExit,
  kDisown,
  kAdopt,
  kReset,
  kVisit,
  kEndVisit,
  kNetwork,
  kCreateWithNetwork,
  kWritten,
  kHoldStill,
  kGoOn,
};
inline constexpr uint64_t kLastOperation = static_cast<uint64_t>(Operation::kGoOn);

// Without its descriptor, which a packet carries beside its text.
void EncodeCreated(protocol::CborWriter& writer, const Created& created);
Result<Created> DecodeCreated(protocol::CborReader& reader);
void EncodeStats(protocol::CborWriter& writer, const Stats& stats);
Result<Stats> DecodeStats(protocol::CborReader& reader);
void EncodeExit(protocol::CborWriter& writer, const Exit& exit);
Result<Exit> DecodeExit(protocol::CborReader& reader);

}  // namespace cay::engine::native
