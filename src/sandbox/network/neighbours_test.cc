#include "sandbox/network/neighbours.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::sandbox {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class NeighboursTest : public ::testing::Test {
 protected:
  SandboxId Id() { return *SandboxId::Generate(); }
  std::set<SandboxId> Place(Neighbour neighbour) {
    auto placed = all_.Place(neighbour);
    EXPECT_TRUE(placed);
    return placed ? *placed : std::set<SandboxId>{};
  }
  std::vector<std::string> Names(const SandboxId& id) {
    std::vector<std::string> names;
    for (const network::Peer& peer : all_.PeersOf(id)) names.push_back(peer.name);
    return names;
  }

  Neighbours all_;
  const SandboxId db_ = Id();
  const SandboxId web_ = Id();
};

TEST_F(NeighboursTest, ThoseOfOneOwnerInOneNetworkReachEachOther) {
  Place({.id = db_, .owner = "me", .name = "DB", .aliases = {"postgres"}, .join = {"app"}});
  EXPECT_THAT(Names(db_), IsEmpty());
  EXPECT_THAT(Place({.id = web_, .owner = "me", .name = "web", .join = {"other", "app"}}),
              ElementsAre(db_));
  EXPECT_THAT(Names(db_), ElementsAre("web"));
  EXPECT_THAT(Names(web_), ElementsAre("db", "postgres"));
  EXPECT_TRUE(all_.ArePeers(web_, db_));
  EXPECT_EQ(all_.NetworkOf(web_, db_), "app");
  EXPECT_EQ(all_.NetworkOf(web_, web_), "");
}

TEST_F(NeighboursTest, NobodyElseDoes) {
  Place({.id = db_, .owner = "me", .name = "db", .join = {"app"}});
  Place({.id = web_, .owner = "you", .name = "web", .join = {"app"}});
  const SandboxId apart = Id();
  Place({.id = apart, .owner = "me", .name = "apart", .join = {"App"}});
  const SandboxId none = Id();
  Place({.id = none, .owner = "me", .name = "none"});
  for (const SandboxId* id : {&db_, &web_, &apart, &none}) EXPECT_THAT(Names(*id), IsEmpty());
  EXPECT_FALSE(all_.ArePeers(db_, web_));
  EXPECT_FALSE(all_.ArePeers(db_, apart));
  EXPECT_EQ(all_.NetworkOf(db_, web_), "");
  EXPECT_EQ(all_.NetworkOf(db_, apart), "");
  EXPECT_FALSE(all_.ArePeers(db_, db_));
}

TEST_F(NeighboursTest, ARenamedOneAndOneThatLeavesAreTold) {
  Place({.id = db_, .owner = "me", .name = "db", .join = {"app"}});
  Place({.id = web_, .owner = "me", .name = "web", .join = {"app"}});
  EXPECT_THAT(Place({.id = db_, .owner = "me", .name = "store", .join = {"app"}}),
              ElementsAre(web_));
  EXPECT_THAT(Names(web_), ElementsAre("store"));
  EXPECT_THAT(Place({.id = db_, .owner = "me", .name = "store"}), ElementsAre(web_));
  EXPECT_THAT(Names(web_), IsEmpty());
  Place({.id = db_, .owner = "me", .name = "store", .join = {"app"}});
  EXPECT_THAT(all_.Remove(db_), ElementsAre(web_));
  EXPECT_THAT(Names(web_), IsEmpty());
  EXPECT_THAT(all_.Remove(db_), IsEmpty());
}

TEST_F(NeighboursTest, ANameComesBeforeAnAlias) {
  const SandboxId client = Id();
  Place({.id = client, .owner = "me", .name = "client", .join = {"app"}});
  Place({.id = db_, .owner = "me", .name = "db", .join = {"app"}});
  Place({.id = web_, .owner = "me", .name = "web", .aliases = {"db"}, .join = {"app"}});
  const auto peers = all_.PeersOf(client);
  ASSERT_EQ(peers.size(), 2U);
  EXPECT_EQ(peers[0], (network::Peer{.name = "db", .sandbox = db_.text()}));
}

TEST_F(NeighboursTest, ThereAreNoMoreThanCanBeTold) {
  for (size_t i = 0; i <= network::Terms::kMaxPeers; ++i)
    Place({.id = Id(), .owner = "me", .name = "n" + std::to_string(i), .join = {"app"}});
  const auto placed = all_.Place({.id = db_, .owner = "me", .name = "db", .join = {"app"}});
  ASSERT_FALSE(placed);
  EXPECT_EQ(placed.error().code(), ErrorCode::kLimitTooHigh);
  EXPECT_THAT(Names(db_), IsEmpty());
  Place({.id = db_, .owner = "me", .name = "db", .join = {"small"}});
}

}  // namespace
}  // namespace cay::sandbox
