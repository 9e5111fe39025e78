#include "cli/client/remedies.h"

#include <array>
#include <optional>

namespace cay::cli {
namespace {

// `{}` is one piece of a path; what stood there stands in the command.
struct Rule {
  std::string_view request;
  std::string_view command;
};

constexpr std::array kRequests = {
    Rule{"POST /api/sandboxes/{}/start", "cay start {}"},
    Rule{"POST /api/sandboxes/{}/stop", "cay stop {}"},
    Rule{"POST /api/sandboxes/{}/pause", "cay pause {}"},
    Rule{"POST /api/sandboxes/{}/resume", "cay resume {}"},
    Rule{"POST /api/sandboxes/{}/reset", "cay reset {}"},
    Rule{"DELETE /api/sandboxes/{}", "cay rm -f {}"},
    Rule{"PATCH /api/sandboxes/{} {\"timeout\":…}", "cay update --timeout TIME {}"},
    Rule{"GET /api/sandboxes", "cay ls"},
    Rule{"POST /api/sandboxes", "cay create"},
    Rule{"GET /api/orphans", "cay adopt"},
    Rule{"POST …/processes/{}/kill_leftovers", "cay kill --leftovers SANDBOX {}"},
    Rule{"GET …/processes/{pid}/output follows it", "cay logs -f SANDBOX PROCESS follows it"},
    Rule{"GET …/processes/{}", "cay wait and cay logs SANDBOX {}"},
    Rule{"…/files/list", "cay files ls"},
    Rule{"…/archive", "cay cp"},
    Rule{"Authorization: Bearer cay_…, of cay keys create", "cay keys create makes one"},
    Rule{"accept it with best_effort", "accept it with --best-effort"},
};

struct Match {
  size_t length = 0;  // of what is replaced
  std::string_view piece;
};

// Whether `text` begins with the request, and with no longer path.
std::optional<Match> MatchAt(std::string_view text, std::string_view request) {
  const size_t hole = request.find("{}");
  const std::string_view before = request.substr(0, hole);
  if (!text.starts_with(before)) return std::nullopt;
  Match match{.length = before.size(), .piece = {}};
  if (hole != std::string_view::npos) {
    const std::string_view rest = text.substr(before.size());
    match.piece = rest.substr(0, rest.find_first_of("/ ;,)"));
    const std::string_view after = request.substr(hole + 2);
    if (match.piece.empty() || !rest.substr(match.piece.size()).starts_with(after)) {
      return std::nullopt;
    }
    match.length += match.piece.size() + after.size();
  }
  if (match.length < text.size() && text[match.length] == '/') return std::nullopt;
  return match;
}

std::string CommandFor(const Rule& rule, std::string_view piece) {
  std::string command(rule.command);
  if (const size_t hole = command.find("{}"); hole != std::string::npos) {
    command.replace(hole, 2, piece);
  }
  return command;
}

}  // namespace

std::string InWordsOfCommands(std::string_view remedy) {
  std::string out;
  while (!remedy.empty()) {
    size_t taken = 0;
    for (const Rule& rule : kRequests) {
      const std::optional<Match> match = MatchAt(remedy, rule.request);
      if (!match) continue;
      out += CommandFor(rule, match->piece);
      taken = match->length;
      break;
    }
    if (taken == 0) {
      out += remedy.front();
      taken = 1;
    }
    remedy.remove_prefix(taken);
  }
  return out;
}

}  // namespace cay::cli
