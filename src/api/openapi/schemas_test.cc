#include "api/openapi/schemas.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>
#include <iterator>

#include "api/openapi/openapi.h"

namespace cay::api {
namespace {

namespace json = boost::json;

json::object SchemaOf(std::string_view name) {
  const json::value document = json::parse(OpenApiDocument());
  return document.at("components").at("schemas").at(name).as_object();
}

TEST(FieldSchemas, AreTheirPartOfTheDescription) {
  for (const Schema& schema : FieldSchemas()) {
    EXPECT_EQ(json::value(SchemaOf(schema.name)), json::parse(schema.json)) << schema.name;
  }
}

TEST(FieldSchemas, SayOfARequestWhatMayBeLeftOut) {
  const json::object spec = SchemaOf("SandboxSpec");
  EXPECT_FALSE(spec.contains("required"));
  EXPECT_EQ(spec.at("additionalProperties"), false);
  const json::object& properties = spec.at("properties").as_object();
  EXPECT_EQ(properties.at("memory_limit").at("oneOf").at(1).at("type"), "null");
  EXPECT_EQ(properties.at("environment").at("description"), "the same as template");
  EXPECT_EQ(properties.at("pids_limit").at("minimum"), 4);
  EXPECT_FALSE(SchemaOf("NetworkSpec").contains("required"));
  EXPECT_EQ(SchemaOf("NetworkSpec").at("properties").at("mode").at("enum").at(0), "none");
  EXPECT_FALSE(properties.contains("face"));
  EXPECT_EQ(SchemaOf("ProcessSpec").at("required"), json::array({"command"}));
  EXPECT_EQ(SchemaOf("ExecuteRequest").at("oneOf").as_array().size(), 2);
}

TEST(FieldSchemas, SayOfAnAnswerThatEverythingIsThere) {
  const json::object view = SchemaOf("Sandbox");
  EXPECT_EQ(view.at("required").as_array().size(), view.at("properties").as_object().size());
  const json::object execution = SchemaOf("Execution");
  EXPECT_EQ(execution.at("properties").at("exit_code").at("type"),
            json::array({"integer", "null"}));
  // But for the two in base64, and the two of what the network denied.
  EXPECT_EQ(execution.at("required").as_array().size() + 4,
            execution.at("properties").as_object().size());
}

// A list is the only place for what it describes.
TEST(FieldSchemas, AreNotWrittenByHandAsWell) {
  std::ifstream file(CAY_SOURCE_DIR "/src/api/openapi/openapi.json");
  const json::value written = json::parse(std::string(std::istreambuf_iterator<char>(file), {}));
  for (const Schema& schema : FieldSchemas()) {
    EXPECT_FALSE(written.at("components").at("schemas").as_object().contains(schema.name))
        << schema.name;
  }
}

// A field is in both lists or in neither: what can be changed can be asked for, under one name.
TEST(FieldSchemas, WhatCanBeChangedCanBeAskedFor) {
  const json::object spec = SchemaOf("SandboxSpec");
  const json::object change = SchemaOf("SandboxChange");
  for (const auto& [name, schema] : change.at("properties").as_object()) {
    EXPECT_EQ(spec.at("properties").at(name), schema) << name;
  }
}

TEST(FieldSchemas, EveryFieldIsInTheDocumentation) {
  std::ifstream file(CAY_SOURCE_DIR "/docs/api.md");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  for (const Schema& schema : FieldSchemas()) {
    const json::value described = json::parse(schema.json);
    for (const auto& [field, of] : described.at("properties").as_object()) {
      EXPECT_TRUE(text.contains("`" + std::string(field) + "`")) << schema.name << ": " << field;
    }
  }
}

}  // namespace
}  // namespace cay::api
