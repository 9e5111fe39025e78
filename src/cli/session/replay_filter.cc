#include "cli/session/replay_filter.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <optional>

namespace cay::cli {
namespace {

constexpr char kEnquiry = '\x05';
constexpr char kEscape = '\x1b';
constexpr char kBell = '\x07';

bool IsBetween(char c, unsigned char first, unsigned char last) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= first && byte <= last;
}

// The length of the sequence that begins with ESC; nothing when its end has not come.
std::optional<size_t> SequenceLength(std::string_view text) {
  if (text.size() < 2) return std::nullopt;
  if (text[1] == '[') {  // ECMA-48, 5.4: parameters, intermediates, one final byte
    size_t at = 2;
    while (at < text.size() && IsBetween(text[at], 0x20, 0x3f)) ++at;
    if (at == text.size()) return std::nullopt;
    return text[at] == kEscape ? at : at + 1;
  }
  if (text[1] != ']' && text[1] != 'P') return 2;
  for (size_t at = 2; at < text.size(); ++at) {
    if (text[at] == kBell) return at + 1;
    if (text[at] != kEscape) continue;
    if (at + 1 == text.size()) return std::nullopt;
    return text[at + 1] == '\\' ? at + 2 : at;  // another sequence ends it, too
  }
  return std::nullopt;
}

// A control sequence, without ESC [.
bool AsksControl(std::string_view sequence) {
  const char final = sequence.back();
  sequence.remove_suffix(1);
  char prefix = 0;
  if (!sequence.empty() && IsBetween(sequence.front(), 0x3c, 0x3f)) {
    prefix = sequence.front();
    sequence.remove_prefix(1);
  }
  char intermediate = 0;
  if (!sequence.empty() && IsBetween(sequence.back(), 0x20, 0x2f)) {
    intermediate = sequence.back();
    sequence.remove_suffix(1);
  }
  int first = 0;
  std::from_chars(sequence.data(), sequence.data() + sequence.size(), first);
  switch (final) {
    case 'c':  // DA1, DA2, DA3; with ? it is an answer
      return prefix != '?' && intermediate == 0;
    case 'm':  // XTQMODKEYS
    case 'S':  // XTSMGRAPHICS
      return prefix == '?';
    case 'n':  // DSR; with > xterm's modifyOtherKeys off
      return prefix != '>' && intermediate == 0;
    case 'p':  // DECRQM
    case 'w':  // DECRQPSR
      return intermediate == '$';
    case 'q':  // XTVERSION
      return prefix == '>';
    case 't': {  // XTWINOPS: reports
      constexpr std::array kReports = {11, 13, 14, 15, 16, 18, 19, 20, 21};
      return prefix == 0 && intermediate == 0 &&
             std::ranges::find(kReports, first) != kReports.end();
    }
    case 'u':  // kitty's flags, DECRQTSR
      return prefix == '?' || intermediate == '$';
    case 'v':  // DECRQDE
      return intermediate == '"';
    case 'x':  // DECREQTPARM
      return prefix == 0 && intermediate == 0;
    case 'y':  // DECRQCRA
      return intermediate == '*';
    default:
      return false;
  }
}

bool Asks(std::string_view sequence) {
  if (sequence.size() < 2) return false;
  std::string_view body = sequence.substr(2);
  switch (sequence[1]) {
    case 'Z':  // DECID
      return true;
    case '[':
      return AsksControl(body);
    case ']':  // "4;1;?", "11;?", "52;c;?"
      while (!body.empty() &&
             (body.back() == kBell || body.back() == '\\' || body.back() == kEscape)) {
        body.remove_suffix(1);
      }
      return body.ends_with(";?");
    case 'P':  // DECRQSS, XTGETTCAP
      return body.starts_with("$q") || body.starts_with("+q");
    default:
      return false;
  }
}

}  // namespace

std::string ReplayFilter::Take(std::string_view bytes) {
  std::string text = Flush();
  text.append(bytes);
  std::string shown;
  std::string_view rest = text;
  while (!rest.empty()) {
    if (rest.front() != kEscape) {
      const size_t plain = std::min(rest.find(kEscape), rest.size());
      std::ranges::copy_if(rest.substr(0, plain), std::back_inserter(shown),
                           [](char c) { return c != kEnquiry; });
      rest.remove_prefix(plain);
      continue;
    }
    std::optional<size_t> length = SequenceLength(rest);
    if (!length && rest.size() <= kMaxHeld) {
      held_ = rest;
      break;
    }
    if (!length) length = rest.size();  // too long for a question
    if (!Asks(rest.substr(0, *length))) shown += rest.substr(0, *length);
    rest.remove_prefix(*length);
  }
  return shown;
}

}  // namespace cay::cli
