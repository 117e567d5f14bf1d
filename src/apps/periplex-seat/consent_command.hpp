// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

#include "loop/event_loop.hpp"
#include "loop/unique_fd.hpp"
#include "seat/offers.hpp"

namespace periplex::apps {

/// Asks the person at the seat with a program of the user's choice (`consent-command`): its last two arguments are the
/// peripheral's description and id, and exit status 0 is yes. One is run for each question, until the question has no
/// meaning any more.
class ConsentCommand final : public seat::Consent {
 public:
  /// So many questions at a time; what comes beyond is answered with no.
  static constexpr std::size_t kMostQuestions = 16;

  /// `words` are the program, found as a shell would, and its first arguments.
  ConsentCommand(EventLoop& loop, std::vector<std::string> words) : loop_(loop), words_(std::move(words)) {}
  ConsentCommand(const ConsentCommand&) = delete;
  ConsentCommand& operator=(const ConsentCommand&) = delete;
  /// Ends the programs; nobody is answered any more.
  ~ConsentCommand() override;

  void ask(const std::string& id, const seat::Peripheral& peripheral, Answer answer) override;
  [[nodiscard]] std::size_t questions() const { return questions_.size(); }

 private:
  struct Question {
    Answer answer;
    UniqueFd process;
    std::unique_ptr<EventLoop::Watch> watch;
  };

  void on_ended(pid_t child);

  EventLoop& loop_;
  const std::vector<std::string> words_;
  std::map<pid_t, Question> questions_;
};

}  // namespace periplex::apps
