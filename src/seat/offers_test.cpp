// SPDX-License-Identifier: Apache-2.0
#include "seat/offers.hpp"

#include <gmock/gmock.h>

namespace periplex::seat {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class NoSource final : public Source {
  void open(std::function<void()>, OnOpened on_opened) override { on_opened(std::unexpected("not here")); }
};

class Asked final : public Consent {
 public:
  void ask(const std::string& id, const Peripheral&, Answer answer) override {
    asked.push_back(id);
    answers.push_back(std::move(answer));
  }
  std::vector<std::string> asked;
  std::vector<Answer> answers;
};

struct OffersTest : ::testing::Test, OffersListener {
  void on_offered(const Offer& offer) override { said.push_back("+" + offer.id); }
  void on_withdrawn(const Offer& offer, Withdrawal why) override {
    said.push_back((why == Withdrawal::taken_back ? "<" : "-") + offer.id);
  }
  std::string plug(std::string serial) {
    return offers.arrived({.vendor = 1, .product = 2, .serial_number = std::move(serial)},
                          std::make_unique<NoSource>());
  }

  std::vector<std::string> said;
  Asked consent;
  Offers offers{Rules({{.action = Action::ask, .match = {.serial_number = "ask"}},
                       {.action = Action::deny, .match = {.serial_number = "deny"}},
                       {.action = Action::allow}}),
                &consent, *this};
};

TEST_F(OffersTest, WhatIsAllowedIsOfferedUntilItIsUnplugged) {
  const std::string id = plug("a");
  plug("deny");
  EXPECT_THAT(said, ElementsAre("+usb:0001:0002:a"));
  offers.left(id);
  offers.left(id);
  EXPECT_THAT(said, ElementsAre("+usb:0001:0002:a", "-usb:0001:0002:a"));
  EXPECT_EQ(offers.entries().at("usb:0001:0002:deny").state, State::denied);
}

TEST_F(OffersTest, ThePersonAtTheSeatIsAsked) {
  const std::string id = plug("ask");
  EXPECT_THAT(consent.asked, ElementsAre(id));
  EXPECT_EQ(offers.entries().at(id).state, State::asking);
  consent.answers[0](true);
  EXPECT_THAT(said, ElementsAre("+" + id));
  offers.left(id);
  plug("ask");
  consent.answers[1](false);
  EXPECT_EQ(offers.entries().at(id).state, State::refused);
}

TEST_F(OffersTest, AnAnswerThatComesTooLateIsForNobody) {
  const std::string id = plug("ask");
  offers.left(id);
  plug("ask");
  consent.answers[0](true);
  EXPECT_THAT(said, IsEmpty()) << "it was about the one before";
  consent.answers[1](true);
  EXPECT_THAT(said, ElementsAre("+" + id));
}

TEST_F(OffersTest, WhatIsTakenBackStaysUntilItIsGivenAgain) {
  const std::string id = plug("a");
  EXPECT_TRUE(offers.take_back(id));
  EXPECT_FALSE(offers.take_back(id));
  EXPECT_THAT(said, ElementsAre("+" + id, "<" + id));
  EXPECT_TRUE(offers.offer_again(id));
  EXPECT_FALSE(offers.offer_again(id));
  EXPECT_THAT(said, ElementsAre("+" + id, "<" + id, "+" + id));
  EXPECT_FALSE(offers.take_back("nothing"));
}

TEST_F(OffersTest, WithoutAnybodyToAskTheAnswerIsNo) {
  Offers alone(Rules({{.action = Action::ask}}), nullptr, *this);
  const std::string id = alone.arrived({}, std::make_unique<NoSource>());
  EXPECT_EQ(alone.entries().at(id).state, State::refused);
  EXPECT_THAT(said, IsEmpty());
}

}  // namespace
}  // namespace periplex::seat
