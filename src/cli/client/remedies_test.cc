#include "cli/client/remedies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sandbox/rules/state_machine.h"

namespace cay::cli {
namespace {

TEST(InWordsOfCommands, ARequestIsTheCommandThatSendsIt) {
  EXPECT_EQ(InWordsOfCommands("start it first: POST /api/sandboxes/web/start"),
            "start it first: cay start web");
  EXPECT_EQ(InWordsOfCommands("start it again, if its disk is whole: POST /api/sandboxes/a1/start; "
                              "or destroy it: DELETE /api/sandboxes/a1"),
            "start it again, if its disk is whole: cay start a1; or destroy it: cay rm -f a1");
  EXPECT_EQ(InWordsOfCommands("list those that there are: GET /api/sandboxes"),
            "list those that there are: cay ls");
  EXPECT_EQ(InWordsOfCommands("create another: POST /api/sandboxes"), "create another: cay create");
  EXPECT_EQ(InWordsOfCommands("set one: PATCH /api/sandboxes/a1 {\"timeout\":…}"),
            "set one: cay update --timeout TIME a1");
  EXPECT_EQ(
      InWordsOfCommands("kept: GET …/processes/2; ended by POST …/processes/2/kill_leftovers"),
      "kept: cay wait and cay logs SANDBOX 2; ended by cay kill --leftovers SANDBOX 2");
  EXPECT_EQ(InWordsOfCommands("list it with …/files/list, or take it with …/archive"),
            "list it with cay files ls, or take it with cay cp");
}

// As they are made, so that a change of their words there is seen here.
TEST(InWordsOfCommands, NoRequestIsLeftInTheRemediesOfTheStates) {
  using sandbox::Act;
  using sandbox::SandboxState;
  const SandboxId id = SandboxId::Generate().value();
  int remedies = 0;
  for (int state = 0; state <= static_cast<int>(SandboxState::kDestroyed); ++state) {
    for (int act = 0; act <= static_cast<int>(Act::kDestroy); ++act) {
      const Result<void> may =
          CheckAct(static_cast<Act>(act), id, static_cast<SandboxState>(state));
      if (may) continue;
      const std::string told = InWordsOfCommands(may.error().remedy());
      EXPECT_THAT(told, testing::Not(testing::HasSubstr("/api/"))) << may.error().remedy();
      if (may.error().remedy().contains("/api/")) {
        ++remedies;
        EXPECT_THAT(told, testing::HasSubstr("cay "));
      }
    }
  }
  EXPECT_GT(remedies, 0);
}

TEST(InWordsOfCommands, OtherWordsStayAsTheyAre) {
  for (const char* text : {"", "try again", "POST", "POST /api/sandboxes/", "GET /api/sandboxes/x",
                           "GET /api/webhooks lists them", "POST /api/sandboxes/a/b/c"}) {
    EXPECT_EQ(InWordsOfCommands(text), text);
  }
}

}  // namespace
}  // namespace cay::cli
