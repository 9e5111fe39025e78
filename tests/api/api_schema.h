// As much of JSON Schema (2020-12) as openapi.json uses, to hold answers against it. What it does
// not know in a schema is a failure of the test, so that nothing is described that is not checked.
#pragma once

#include <boost/json/value.hpp>
#include <set>
#include <string>
#include <string_view>

namespace cay::testing {

class SchemaChecker {
 public:
  explicit SchemaChecker(boost::json::value document) : document_(std::move(document)) {}

  // Fails the test, saying where, unless the value is as components/schemas/NAME says.
  void Check(std::string_view name, const boost::json::value& value) const;
  // The names of the schemas that something was held against.
  const std::set<std::string>& checked() const { return checked_; }

 private:
  // What is wrong; empty when nothing is.
  std::string Wrong(const boost::json::object& schema, const boost::json::value& value,
                    const std::string& where) const;
  std::string WrongObject(const boost::json::object& schema, const boost::json::object& value,
                          const std::string& where) const;

  boost::json::value document_;
  mutable std::set<std::string> checked_;
};

}  // namespace cay::testing
