#include "http/server/router.h"

#include <algorithm>
#include <cstdlib>
#include <map>

#include "base/os/log.h"
#include "base/text.h"
#include "http/wire/target.h"

namespace cay::http {
namespace {

struct Route {
  Handler handler;
  std::string pattern;
  std::vector<std::string> names;  // of its captures, in order
};

[[noreturn]] void Defect(std::string_view pattern, std::string_view what) {
  LogError("route " + std::string(pattern) + ": " + std::string(what));
  std::abort();
}

bool IsCapture(std::string_view segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

}  // namespace

// A segment of the paths. Its routes are those whose pattern ends here.
struct Router::Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
  std::unique_ptr<Node> capture;
  std::map<std::string, Route, std::less<>> routes;  // by method
  std::map<std::string, Route, std::less<>> rest;    // {name...}, by method

  // What a path led to, in order of precedence.
  struct Found {
    const std::map<std::string, Route, std::less<>>* routes;
    std::vector<std::string_view> captures;
    bool rest;  // the last capture is one
  };
  // `path` is what is left: empty, or it begins with a slash. Visits until `visit` says true, or
  // nothing else may be meant.
  template <class Visit>
  bool Walk(std::string_view path, std::vector<std::string_view>& captures,
            const Visit& visit) const;
};

template <class Visit>
bool Router::Node::Walk(std::string_view path, std::vector<std::string_view>& captures,
                        const Visit& visit) const {
  if (path.empty() || path == "/") {
    if (!routes.empty() && visit(Found{&routes, captures, false})) return true;
  } else {
    const std::string_view left = path.substr(1);
    const std::string_view segment = left.substr(0, left.find('/'));
    const std::string_view further = left.substr(segment.size());
    const auto literal = literals.find(segment);
    if (literal != literals.end()) {
      const bool ends = further.empty() || further == "/";
      if (literal->second->Walk(further, captures, visit)) return true;
      // What stands here as it is, is no capture's, whatever its methods (OpenAPI 3.1, 4.8.8.2).
      if (ends && !literal->second->routes.empty()) return true;
    }
    if (capture && !segment.empty()) {
      captures.push_back(segment);
      if (capture->Walk(further, captures, visit)) return true;
      captures.pop_back();
    }
  }
  if (rest.empty()) return false;
  captures.push_back(path.empty() ? path : path.substr(1));
  const bool taken = visit(Found{&rest, captures, true});
  captures.pop_back();
  return taken;
}

Router::Router() : root_(std::make_unique<Node>()) {}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;

void Router::Add(std::string_view method, std::string_view pattern, Handler handler) {
  if (!pattern.starts_with('/') || method.empty()) Defect(pattern, "no pattern");
  Route route{.handler = std::move(handler), .pattern = std::string(pattern), .names = {}};
  Node* node = root_.get();
  auto segments = Split(pattern.substr(1), '/');
  if (segments.back().empty()) segments.pop_back();
  bool rest = false;
  for (const std::string_view segment : segments) {
    if (rest) Defect(pattern, "something after the rest");
    if (!IsCapture(segment)) {
      auto& child = node->literals[std::string(segment)];
      if (!child) child = std::make_unique<Node>();
      node = child.get();
      continue;
    }
    std::string_view name = segment.substr(1, segment.size() - 2);
    rest = name.ends_with("...");
    if (rest) name.remove_suffix(3);
    if (name.empty()) Defect(pattern, "a capture without a name");
    route.names.emplace_back(name);
    if (rest) continue;
    if (!node->capture) node->capture = std::make_unique<Node>();
    node = node->capture.get();
  }
  auto& routes = rest ? node->rest : node->routes;
  if (!routes.emplace(std::string(method), std::move(route)).second) {
    Defect(pattern, "it is there already");
  }
}

Router::Match Router::Find(std::string_view method, std::string_view path) const {
  Match match;
  std::vector<std::string> allowed;
  const auto visit = [&](const Node::Found& found) {
    auto route = found.routes->find(method);
    if (route == found.routes->end() && method == "HEAD") route = found.routes->find("GET");
    if (route == found.routes->end()) route = found.routes->find("*");
    if (route == found.routes->end()) {
      for (const auto& [other, ignored] : *found.routes) allowed.push_back(other);
      return false;
    }
    std::vector<std::pair<std::string, std::string>> captures;
    for (size_t i = 0; i < found.captures.size(); ++i) {
      const bool is_rest = found.rest && i + 1 == found.captures.size();
      auto text = is_rest ? Result<std::string>(std::string(found.captures[i]))
                          : PercentDecode(found.captures[i]);
      if (!text) return false;
      captures.emplace_back(route->second.names[i], std::move(*text));
    }
    match.handler = &route->second.handler;
    match.pattern = route->second.pattern;
    match.captures = std::move(captures);
    match.status = 200;
    return true;
  };
  std::vector<std::string_view> captures;
  if (path.starts_with('/')) root_->Walk(path, captures, visit);
  if (match.handler != nullptr || allowed.empty()) return match;
  match.status = 405;
  if (std::ranges::find(allowed, "GET") != allowed.end()) allowed.emplace_back("HEAD");
  std::ranges::sort(allowed);
  const auto same = std::ranges::unique(allowed);
  allowed.erase(same.begin(), same.end());
  for (const std::string& other : allowed) {
    if (!match.allow.empty()) match.allow += ", ";
    match.allow += other;
  }
  return match;
}

}  // namespace cay::http
