// Exchange: one request and its response, for the handler that answers it.
//
//   void Handle(http::Exchange& exchange) {
//     auto body = exchange.ReadWholeBody(1 * kMiB);
//     if (!body) return exchange.Respond(Problem(body.error()));
//     …
//     exchange.Begin(200, {{"Content-Type", "text/event-stream"}});
//     while (…) if (!exchange.Write(event)) return;   // the client has gone, or does not read
//     exchange.Finish();
//   }
//
// A handler runs in a thread of the server's and may block (docs/decisions: one thread for each
// request that is under way, none for idle connections). Every wait on the client is bounded by the
// server's limits: a client that sends or reads too slowly is kTimeout, one that went away
// kUnavailable. After an error, and after a handler that returns without having answered (500), the
// connection is closed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/units.h"
#include "http/message.h"

namespace cay::http {

// A WebSocket (RFC 6455), server's end. Pings are answered inside; a peer that is silent too long
// is an error out of Read.
class WebSocket {
 public:
  enum class Kind : uint8_t { kText, kBinary };
  struct Message {
    Kind kind;
    std::string bytes;
  };

  virtual ~WebSocket() = default;

  // For a thread that waits for something else as well: poll fd() (not when HasBuffered()); when it
  // is readable, and at least every 15 s, call Advance; call Read when that says true.
  //
  //   if (readable || socket->HasBuffered()) {
  //     if (TRY(socket->Advance())) message = TRY(socket->Read());
  //   }
  virtual int fd() const = 0;
  virtual bool HasBuffered() const = 0;
  // Takes in what has come, without waiting, and answers pings; sends a ping to a silent peer.
  // Returns whether Read has something to give at once. kTimeout for a peer that does not answer.
  virtual Result<bool> Advance() = 0;

  // The next message, of at most the server's limit; nothing when the peer has closed. Waits for
  // it.
  virtual Result<std::optional<Message>> Read() = 0;
  virtual Result<void> Send(Kind kind, std::string_view bytes) = 0;
  // Tells the peer why (RFC 6455, 7.4.1) and ends it.
  virtual void Close(uint16_t code, std::string_view reason) = 0;
};

// The connection itself, after a protocol switch.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  virtual int fd() const = 0;
  virtual bool HasBuffered() const = 0;
  virtual Result<size_t> Read(std::span<char> space) = 0;  // 0: end of file
  virtual Result<void> Write(std::string_view bytes) = 0;
  // As much as goes without waiting; 0 when nothing does.
  virtual Result<size_t> TryWrite(std::string_view bytes) = 0;
  virtual void CloseWrite() = 0;
};

class Exchange {
 public:
  // How often a handler that waits, or sends without end, must call Standing.
  static constexpr Millis kStandingInterval{2000};

  virtual ~Exchange() = default;

  virtual Request& request() = 0;
  const Request& request() const { return const_cast<Exchange*>(this)->request(); }

  // The next piece of the body; 0 at its end. "Expect: 100-continue" is answered by the first call.
  // kLimitTooHigh when the body is over the server's limit or the one set here, kResourceExhausted
  // when the server has no memory left for it (http.max_bodies_held).
  virtual Result<size_t> ReadBody(std::span<char> space) = 0;
  // The same without waiting; nothing when nothing has come: poll(socket()) tells when more comes.
  virtual Result<std::optional<size_t>> TryReadBody(std::span<char> space) = 0;
  // All of it; kLimitTooHigh when there is more.
  virtual Result<std::string> ReadWholeBody(size_t max_bytes);
  // Bodies are refused over the server's limit unless a handler that streams raises it.
  virtual void SetBodyLimit(uint64_t max_bytes) = 0;

  // A whole response. Compressed when the client accepts that and it is worth it. Date, Connection,
  // X-Request-Id and the fields that delimit the body are the server's to add; a handler's
  // "Connection: close" is kept.
  virtual Result<void> Respond(Response response) = 0;

  // A response in pieces: chunked, unless the length is known. For HEAD no body is sent.
  virtual Result<void> Begin(int status, Headers headers,
                             std::optional<uint64_t> content_length = std::nullopt) = 0;
  virtual Result<void> Write(std::string_view bytes) = 0;  // waits until the kernel took it
  virtual Result<void> Finish() = 0;
  // Whether the answer may go on: an error, with the reason, once the permission that let the
  // request in is gone (its key was revoked).
  virtual Result<void> Standing() { return {}; }
  // A last piece and the end; also when there is no Standing any more.
  virtual Result<void> FinishWith(std::string_view bytes);
  // Whether a status line has been sent (then an error can only cut the stream).
  virtual bool started() const = 0;
  virtual int status() const = 0;              // sent; 0 before
  virtual uint64_t bytes_written() const = 0;  // of bodies

  // For handlers that wait for something else meanwhile: poll this for POLLRDHUP | POLLHUP |
  // POLLERR.
  virtual int socket() const = 0;
  bool ClientGone() const;
  // For handlers of streams that have no end of their own, and whose clients come back: readable
  // once the server takes no more requests and waits for those under way (Server::Drain). -1:
  // never.
  virtual int ending_fd() const { return -1; }
  bool Ending() const;

  virtual bool WantsWebSocket() const = 0;
  virtual Result<std::unique_ptr<WebSocket>> AcceptWebSocket(Headers headers = {}) = 0;
  // Sends this head (101, or the head of an answer to CONNECT) and gives the connection up.
  virtual Result<std::unique_ptr<ByteStream>> SwitchProtocols(Headers headers) = 0;
};

}  // namespace cay::http
