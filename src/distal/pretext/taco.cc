#include "distal/pretext/taco.h"

#include <ATen/ATen.h>

#include "distal/base/error.h"
#include "distal/base/random.h"
#include "distal/models/device.h"
#include "distal/models/layers.h"
#include "distal/models/model.h"
#include "distal/pretext/task.h"

namespace distal {
namespace {

class Parts final : public torch::nn::Module {
};  // a name for what is trained and remembered beside the net

torch::Tensor range(int64_t first, int64_t count, const torch::Tensor& like) {
  return torch::arange(first, first + count, like.options().dtype(torch::kInt64));
}

void copy_weights(const torch::nn::Module& from, const torch::nn::Module& to) {
  const torch::NoGradGuard no_grad;
  const auto sources = state(from);
  const auto targets = state(to);
  expect(sources.size() == targets.size(), "the twin is built like the net");
  for (size_t i = 0; i < sources.size(); ++i) targets[i].second.copy_(sources[i].second);
}

void follow(const torch::nn::Module& leader, const torch::nn::Module& follower, double momentum) {
  const auto ahead = leader.parameters();
  const auto behind = follower.parameters();
  for (size_t i = 0; i < ahead.size(); ++i) behind[i].lerp_(ahead[i], 1 - momentum);
}

// Convolutions that must not compute in bf16 in the net must not in its twin either.
void follow_gate(const Net& net, const Net& twin) {
  const auto from = net.modules(/*include_self=*/false);
  const auto to = twin.modules(/*include_self=*/false);
  for (size_t i = 0; i < from.size(); ++i) {
    if (const auto* conv = from[i]->as<Conv>())
      to[i]->as<Conv>()->set_full_precision(conv->full_precision());
  }
}

}  // namespace

Taco::Taco(PretextOptions options, const Net& net, const std::function<Model()>& twin,
           int64_t frames, int64_t clips, const Random& random)
    : options_(std::move(options)),
      frames_(frames),
      all_(options_.draw == "all" && options_.transforms()),
      extra_(std::make_shared<Parts>()) {
  expect(static_cast<bool>(options_.contrast), "the options were read before they are used");
  const int64_t embedding = net.embedding_size();
  if (options_.transforms()) {
    for (const TaskChoice& task : options_.chosen) tasks_.push_back(task.task);
  } else {
    tasks_.push_back(std::make_shared<NoTask>());
  }
  if (options_.contrasts() && options_.contrast->momentum_encoder()) {
    encoder_ = extra_->register_module("encoder", twin());
    copy_weights(net, *encoder_);
    encoder_->train();
  }
  for (const TaskChoice& task : options_.chosen) {
    if (options_.mode == "both")
      add_branch(task.name, embedding, clips, random.stream("branch " + task.name));
    if (options_.asks())
      heads_.push_back(extra_->register_module(
          "head_" + task.name, task_head(embedding * task.task->clips(), task.task->outputs(),
                                         random.stream("head " + task.name))));
  }
  if (options_.contrasts() && options_.mode != "both")
    add_branch("all", embedding, clips, random.stream("branch"));
  extra_->to(device_of(net));
}

void Taco::add_branch(const std::string& name, int64_t embedding, int64_t clips,
                      const Random& random) {
  Branch branch;
  const auto projection = [&] {
    return std::make_shared<Mlp>(embedding, options_.hidden, options_.dim,
                                 random.stream("projection"));
  };
  branch.projection = extra_->register_module("projection_" + name, projection());
  if (encoder_)
    branch.key_projection =
        extra_->register_module("key_projection_" + name, projection());  // equal at first
  branch.contrast = extra_->register_module(
      "contrast_" + name,
      options_.contrast->branch({options_.dim, options_.hidden, clips}, random.stream("contrast")));
  branches_.push_back(std::move(branch));
}

int64_t Taco::views_of(int64_t samples) const {
  return all_ ? samples / std::ssize(tasks_) : samples;
}

std::vector<Taco::Group> Taco::groups(int64_t samples) const {
  const auto count = std::ssize(tasks_);
  std::vector<Group> groups;
  Group group;
  for (; group.task < tasks_.size(); ++group.task) {
    group.samples = samples / count + (static_cast<int64_t>(group.task) < samples % count ? 1 : 0);
    if (group.samples > 0) groups.push_back(group);
    group.first += group.samples;
    group.first_clip += group.samples * tasks_[group.task]->clips();
  }
  return groups;
}

Batch Taco::prepare(const Batch& views, const Random& random) const {
  const int64_t count = views.rows.size(0);
  const torch::Tensor order =
      all_ ? torch::arange(count, torch::kInt64).repeat({std::ssize(tasks_)})
           : torch::tensor(random.stream("order").permutation(count), torch::kInt64);
  Random query = random.stream("query");
  Random key = random.stream("key");
  std::vector<torch::Tensor> queries, keys, labels;
  for (const Group& group : groups(order.size(0))) {
    const PretextTask& task = *tasks_[group.task];
    const torch::Tensor rows = order.narrow(0, group.first, group.samples);
    labels.push_back(task.draw(group.samples, frames_, query));
    queries.push_back(
        task.transform(views.clips.index_select(0, rows), labels.back(), frames_, query));
    if (!options_.contrasts() || options_.key == "plain") continue;
    keys.push_back(task.transform(views.second.index_select(0, rows),
                                  task.draw(group.samples, frames_, key), frames_, key));
  }
  if (options_.contrasts() && options_.key == "plain")
    keys.push_back(NoTask().transform(views.second.index_select(0, order.narrow(0, 0, count)), {},
                                      frames_, key));
  Batch prepared;
  prepared.clips = torch::cat(queries);
  if (!keys.empty()) prepared.second = torch::cat(keys);
  prepared.targets = torch::cat(labels).unsqueeze(1);
  prepared.rows = views.rows.index_select(0, order);
  prepared.weights = torch::ones({order.size(0)});
  return prepared;
}

// Of each group [samples, m, D].
std::vector<torch::Tensor> Taco::features(const torch::Tensor& embedding,
                                          const std::vector<Group>& groups) const {
  std::vector<torch::Tensor> parts;
  for (const Group& group : groups) {
    const int64_t clips = tasks_[group.task]->clips();
    parts.push_back(embedding.narrow(0, group.first_clip, group.samples * clips)
                        .view({group.samples, clips, -1}));
  }
  return parts;
}

Losses Taco::losses(Net& net, const Batch& batch) {
  const std::vector<Group> shares = groups(batch.rows.size(0));
  const auto views = static_cast<double>(views_of(batch.rows.size(0)));
  const std::vector<torch::Tensor> seen = features(net.forward(batch.clips).embedding, shares);
  Losses losses;
  if (options_.contrasts()) {
    losses.emplace_back("contrast", contrast(net, batch, shares, seen) / views);
    note("contrast", losses.back().second * views / static_cast<double>(batch.rows.size(0)));
  }
  if (!options_.asks()) return losses;
  const c10::impl::ExcludeDispatchKeyGuard full_precision(c10::autocast_dispatch_keyset);
  for (size_t i = 0; i < shares.size(); ++i) {
    const TaskChoice& task = options_.chosen[shares[i].task];
    const torch::Tensor labels =
        batch.targets.narrow(0, shares[i].first, shares[i].samples).squeeze(1);
    const torch::Tensor each =
        task.task->loss(heads_[shares[i].task]->forward(seen[i].flatten(1)), labels);
    note(task.name, each.mean());
    losses.emplace_back(task.name, task.weight * each.sum() / views);
  }
  return losses;
}

// Of plain keys [N, D], of transformed ones [M, D].
torch::Tensor Taco::key_features(Net& net, const Batch& batch, const std::vector<Group>& groups) {
  if (encoder_) follow_gate(net, *encoder_);
  const torch::Tensor embedding = (encoder_ ? *encoder_ : net).forward(batch.second).embedding;
  if (options_.key == "plain") return embedding;
  std::vector<torch::Tensor> means;
  for (const torch::Tensor& part : features(embedding, groups)) means.push_back(part.mean(1));
  return torch::cat(means);
}

// The sum over all queries.
torch::Tensor Taco::contrast(Net& net, const Batch& batch, const std::vector<Group>& groups,
                             const std::vector<torch::Tensor>& features) {
  torch::Tensor keys;
  {
    const torch::AutoGradMode gradient(!encoder_);
    keys = key_features(net, batch, groups);
  }
  const c10::impl::ExcludeDispatchKeyGuard full_precision(c10::autocast_dispatch_keyset);
  const int64_t samples = batch.rows.size(0);
  const int64_t count = keys.size(0);
  std::vector<torch::Tensor> queries, sums;
  for (const torch::Tensor& part : features) queries.push_back(part.mean(1));
  if (options_.mode != "both")
    return contrast_in(branches_[0], torch::cat(queries), keys,
                       range(0, samples, keys).remainder(count), batch.rows.narrow(0, 0, count));
  for (size_t i = 0; i < groups.size(); ++i) {
    const auto [task, first, size, first_clip] = groups[i];
    // A task has all keys of the batch, but its own where each task has transformed every clip.
    const bool own = all_ && count == samples;
    const torch::Tensor among = own ? keys.narrow(0, first, size) : keys;
    const torch::Tensor clips = batch.rows.narrow(0, own ? first : 0, among.size(0));
    sums.push_back(contrast_in(branches_[task], queries[i], among,
                               range(all_ ? 0 : first, size, keys), clips));
  }
  return torch::stack(sums).sum();
}

torch::Tensor Taco::contrast_in(const Branch& branch, const torch::Tensor& queries,
                                const torch::Tensor& keys, const torch::Tensor& positive,
                                const torch::Tensor& clips) const {
  ContrastBatch batch{branch.projection->forward(queries), {}, positive, clips};
  {
    const torch::AutoGradMode gradient(!encoder_);
    batch.keys = (encoder_ ? branch.key_projection : branch.projection)->forward(keys);
  }
  return branch.contrast->loss(batch).sum();
}

void Taco::stepped(Net& net, int64_t step, int64_t steps) {
  if (!encoder_) return;
  const torch::NoGradGuard no_grad;
  const double momentum = options_.contrast->momentum(step, steps);
  follow(net, *encoder_, momentum);
  for (const Branch& branch : branches_)
    follow(*branch.projection, *branch.key_projection, momentum);
}

void Taco::note(const std::string& part, const torch::Tensor& mean) {
  constexpr double kMemory = 0.95;
  const double value = mean.item<double>();
  const auto [at, first] = recent_.try_emplace(part, value);
  if (!first) at->second = kMemory * at->second + (1 - kMemory) * value;
}

std::string Taco::account() const {
  std::string text;
  for (const auto& [part, mean] : recent_) {
    text += fmt::format("{}{} {:.3f}", text.empty() ? "" : ", ", part, mean);
    for (const TaskChoice& task : options_.chosen) {
      if (task.name == part) text += fmt::format(" (chance {:.3f})", task.task->chance(frames_));
    }
  }
  return text;
}

}  // namespace distal
