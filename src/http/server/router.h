// Router: from method and path to handler.
//
//   router.Add("GET", "/api/sandboxes/{id}", handler);          // {name}: one segment, decoded
//   router.Add("*", "/api/sandboxes/{id}/ports/{port}/{rest...}", handler);   // the rest, not decoded
//
// Literal segments come before captures, and a path of literals is not a capture's with another
// method. A trailing slash is ignored. HEAD goes to GET. 404 when no route has the path; 405 with
// Allow when one has, with other methods.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/exchange.h"

namespace cay::http {

using Handler = std::function<void(Exchange&)>;

class Router {
 public:
  Router();
  ~Router();
  Router(Router&&) noexcept;
  Router& operator=(Router&&) noexcept;

  // `pattern` is the program's own; a defect in it, or a route that is there already, aborts.
  void Add(std::string_view method, std::string_view pattern, Handler handler);

  struct Match {
    const Handler* handler = nullptr;  // null: see status
    std::string_view pattern;          // for metrics; valid as long as the router
    int status = 404;                  // 404 or 405 when there is none
    std::string allow;                 // for 405
    std::vector<std::pair<std::string, std::string>> captures;
  };
  Match Find(std::string_view method, std::string_view path) const;

 private:
  struct Node;
  std::unique_ptr<Node> root_;
};

}  // namespace cay::http
