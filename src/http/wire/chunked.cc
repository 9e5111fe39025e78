#include "http/wire/chunked.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <charconv>

namespace cay::http {
namespace {

namespace beast = boost::beast;

// Beast's parser decodes bodies of messages only: this is the message.
constexpr std::string_view kCarrier =
    "POST / HTTP/1.1\r\n"
    "Transfer-Encoding: chunked\r\n\r\n";

}  // namespace

struct ChunkDecoder::Parser : beast::http::request_parser<beast::http::buffer_body> {
  bool wants_head = false;  // it has seen a part of a chunk's head
};

ChunkDecoder::ChunkDecoder() : parser_(std::make_unique<Parser>()) {
  parser_->body_limit(boost::none);
  parser_->header_limit(static_cast<std::uint32_t>(kCarrier.size() + kMaxOverhead));
  beast::error_code error;
  parser_->put(boost::asio::buffer(kCarrier.data(), kCarrier.size()), error);
}

ChunkDecoder::~ChunkDecoder() = default;

bool ChunkDecoder::done() const { return parser_->is_done(); }

Result<ChunkDecoder::Step> ChunkDecoder::Decode(std::string_view input, std::span<char> space) {
  Step step;
  while (!done() && step.consumed < input.size() && step.produced < space.size()) {
    const std::string_view rest = input.substr(step.consumed);
    // Beast asserts that it is not asked twice about the beginning of a last chunk: "0\r\n\r\n" at
    // least.
    if (parser_->wants_head && rest.front() == '0' && rest.size() < kLastChunk.size()) break;
    auto& body = parser_->get().body();
    const auto room = space.subspan(step.produced);
    body.data = room.data();
    body.size = room.size();
    body.more = true;
    beast::error_code error;
    const size_t used = parser_->put(boost::asio::buffer(rest.data(), rest.size()), error);
    step.consumed += used;
    step.produced += room.size() - body.size;
    parser_->wants_head = error == beast::http::error::need_more;
    if (parser_->wants_head || (!error && used == 0)) {
      if (rest.size() >= kMaxOverhead) {
        return Failure(Error(ErrorCode::kProtocol, Fault::kCaller, "a chunk with too long a head"));
      }
      break;
    }
    if (error && error != beast::http::error::need_buffer) {
      return Failure(Error(ErrorCode::kProtocol, Fault::kCaller,
                           "the body is not in chunks as RFC 9112 has them"));
    }
  }
  return step;
}

std::string ChunkHead(size_t bytes) {
  std::array<char, 20> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), bytes, 16);
  return std::string(digits.data(), end) + "\r\n";
}

}  // namespace cay::http
