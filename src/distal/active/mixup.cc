#include "distal/active/mixup.h"

#include <limits>
#include <numeric>

#include "distal/base/error.h"
#include "distal/base/options.h"
#include "distal/base/random.h"

namespace distal {
namespace {

// lambda as a factor that broadcasts over clips with `dims` dimensions each; [L] becomes [L, 1,
// ...] or, faded, [L, 1, T, 1, 1].
torch::Tensor factor(const torch::Tensor& lambdas, at::IntArrayRef clip, double fade) {
  std::vector<int64_t> shape(clip.size() + 1, 1);
  shape[0] = lambdas.size(0);
  const auto centre = lambdas.view(shape);
  if (fade == 0) return centre;
  if (clip.size() != 4)
    fail("fade {}: only clips with frames can fade, [C, T, H, W] each; set fade to 0 for images",
         fade);
  const int64_t frames = clip[1];
  const auto ramp = frames > 1 ? torch::linspace(-1, 1, frames).view({1, 1, frames, 1, 1})
                               : torch::zeros({1, 1, 1, 1, 1});
  return centre + ramp * fade * torch::minimum(centre, 1 - centre);
}

torch::Tensor picked(const torch::Tensor& clips, const torch::Tensor& rows) {
  return clips.index_select(0, rows).to(torch::kFloat32);
}

// The `count` least (score, candidate) of a stream: a heap with the worst of them on top.
class Least {
 public:
  explicit Least(int64_t count) : count_(static_cast<size_t>(count)) {}
  void see(float score, int64_t candidate) {
    const Row row{score, candidate};
    if (rows_.size() == count_) {
      if (rows_.empty() || !(row < rows_.front())) return;
      std::pop_heap(rows_.begin(), rows_.end());
      rows_.pop_back();
    }
    rows_.push_back(row);
    std::push_heap(rows_.begin(), rows_.end());
  }
  std::vector<std::pair<float, int64_t>> sorted() && {
    std::sort_heap(rows_.begin(), rows_.end());
    return std::move(rows_);
  }

 private:
  using Row = std::pair<float, int64_t>;
  size_t count_;
  std::vector<Row> rows_;
};

torch::Tensor uncertainty_of(const Task& task, const torch::Tensor& p,
                             const std::string& uncertainty, Random& random) {
  if (uncertainty == "least_confidence") return 1 - task.confidence(p);
  if (uncertainty == "entropy") return task.entropy(p);
  if (uncertainty == "margin") return 0 - task.margin(p);
  if (uncertainty != "random")
    fail("unixkd: there is no uncertainty {}; random, least_confidence, margin or entropy",
         uncertainty);
  auto chance = torch::empty({p.size(0)}, torch::kFloat64);
  for (int64_t row = 0; row < p.size(0); ++row) chance[row] = random.uniform();
  return chance;
}

}  // namespace

void MixupOptions::visit(OptionVisitor& v) const {
  v("criterion", criterion,
    "c2: the least confident mix of each pair, c1: any mix, random; unixkd: uncertain clips with "
    "others",
    one_of({"c1", "c2", "random", "unixkd"}));
  v("lambda_low", lambda_low, "smallest share in the grid", between(0, 1));
  v("lambda_high", lambda_high, "largest share in the grid", between(0, 1));
  v("lambda_step", lambda_step, "step of the grid of shares", between(0.001, 1));
  v("fade", fade, "change of the share over the frames of a mix; 0: constant", between(0, 1));
  v("pairs", pairs,
    "number of pairs scored in a round, drawn from the pool; 0: all; -1: 20 for each mix of the "
    "budget",
    at_least(-1));
  v("batch", batch, "number of mixes in a batch", between(1, 65536));
  v("uncertainty", uncertainty, "uncertainty measure of a clip, for the criterion unixkd",
    one_of({"random", "least_confidence", "margin", "entropy"}));
  if (lambda_low > lambda_high)
    throw UsageError(fmt::format("{}: lambda_low {} is above lambda_high {}", v.place(), lambda_low,
                                 lambda_high));
}

std::vector<double> MixupOptions::lambdas() const {
  std::vector<double> grid;
  const double steps = std::floor((lambda_high - lambda_low) / lambda_step + 1e-6);
  for (int64_t t = 0; t <= static_cast<int64_t>(steps); ++t)
    grid.push_back(lambda_low + static_cast<double>(t) * lambda_step);
  return grid;
}

torch::Tensor blend(const torch::Tensor& clips, const std::vector<Mix>& mixes, double fade) {
  std::vector<int64_t> i, j;
  std::vector<double> lambdas;
  for (const Mix& mix : mixes) {
    i.push_back(mix.i);
    j.push_back(mix.j);
    lambdas.push_back(mix.lambda);
  }
  const auto weight = factor(torch::tensor(lambdas, torch::kFloat32), clips.sizes().slice(1), fade);
  return torch::lerp(picked(clips, torch::tensor(j, torch::kInt64)),
                     picked(clips, torch::tensor(i, torch::kInt64)), weight);
}

Confidence confidence_of(torch::Tensor clips,
                         std::function<torch::Tensor(const torch::Tensor& mixes)> student,
                         double fade, const Task& task) {
  return [clips = std::move(clips), student = std::move(student), fade, &task](
             const torch::Tensor& i, const torch::Tensor& j, const torch::Tensor& lambdas) {
    const torch::NoGradGuard no_grad;
    const auto weight = factor(lambdas, clips.sizes().slice(1), fade).unsqueeze(0);  // [1, L, ...]
    const auto mixes =
        torch::lerp(picked(clips, j).unsqueeze(1), picked(clips, i).unsqueeze(1), weight);
    const auto p = student(mixes.flatten(0, 1));
    expect(p.dim() == 2 && p.size(0) == i.size(0) * lambdas.size(0),
           "a student gives one row of probabilities a mix");
    return task.confidence(p.to(torch::kFloat32)).view({i.size(0), lambdas.size(0)});
  };
}

MixPool::MixPool(int64_t clips, const MixupOptions& options)
    : clips_(clips),
      pairs_((clips - 1) / 2 * clips),
      options_(options),
      lambdas_(options.lambdas()) {
  if (clips < 3) fail("active mixup: {} clips make no pair; it needs 3 or more", clips);
  if (options_.criterion == "unixkd")
    fail("active mixup: unixkd mixes the clips of a batch and has no pool of pairs; take c1, c2 or "
         "random");
  slots_ = options_.criterion == "c1" ? std::ssize(lambdas_) : 1;
  used_.resize(pairs_ * slots_);
}

std::pair<int64_t, int64_t> MixPool::pair(int64_t number) const {
  const int64_t k = number % clips_;
  const int64_t shift = number / clips_ + 1;
  return {k, (k + shift) % clips_};
}

bool MixPool::open(int64_t pair) const {
  for (int64_t slot = pair * slots_; slot < (pair + 1) * slots_; ++slot) {
    if (!used_[slot]) return true;
  }
  return false;
}

int64_t MixPool::left() const {
  int64_t count = 0;
  for (int64_t pair = 0; pair < pairs_; ++pair) count += open(pair);
  return count;
}

// Selection sampling: D. Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S. In order and
// without a list of the pairs.
void MixPool::visit_open(int64_t wanted, Random random,
                         const std::function<void(int64_t pair)>& see) const {
  int64_t open_pairs = left();
  int64_t need = std::min(wanted, open_pairs);
  for (int64_t pair = 0; pair < pairs_ && need > 0; ++pair) {
    if (!open(pair)) continue;
    if (need == open_pairs || random.below(open_pairs) < need) {
      see(pair);
      --need;
    }
    --open_pairs;
  }
}

Mix MixPool::mix(int64_t candidate, double score) const {
  const int64_t count = std::ssize(lambdas_);
  const auto [i, j] = pair(candidate / count);
  return {i, j, lambdas_[candidate % count], score};
}

MixSelection MixPool::draw(int64_t count, Random random) const {
  const int64_t lambdas = std::ssize(lambdas_);
  Random shares = random.stream("lambda");
  std::vector<Mix> drawn;
  visit_open(count, random.stream("pairs"), [&](int64_t pair) {
    drawn.push_back(mix(pair * lambdas + shares.below(lambdas), 0));
  });
  MixSelection selection;
  for (const int64_t row : random.stream("order").permutation(std::ssize(drawn)))
    selection.mixes.push_back(drawn[row]);
  return selection;
}

MixSelection MixPool::select(const Confidence& confidence, int64_t count, Random random) const {
  expect(count >= 0, "a selection has a size");
  if (count == 0) return {};
  if (options_.criterion == "random") return draw(count, random);
  const int64_t lambdas = std::ssize(lambdas_);
  const int64_t at_once = std::max<int64_t>(1, options_.batch / lambdas);
  Least least(count);
  MixSelection selection;
  std::vector<int64_t> batch;
  const auto score_batch = [&] {
    const torch::Tensor scores = scores_of(confidence, batch);
    const float* row = scores.const_data_ptr<float>();
    for (const int64_t number : batch) {
      const int64_t first = number * lambdas;
      if (slots_ == 1) {
        const int64_t best = std::min_element(row, row + lambdas) - row;
        least.see(row[best], first + best);
      } else {
        for (int64_t t = 0; t < lambdas; ++t) {
          if (!used_[first + t]) least.see(row[t], first + t);
        }
      }
      row += lambdas;
    }
    selection.forwards += scores.numel();
    batch.clear();
  };
  visit_open(options_.pairs > 0   ? options_.pairs
             : options_.pairs < 0 ? 20 * count
                                  : pairs_,
             random.stream("pairs"), [&](int64_t number) {
               batch.push_back(number);
               if (std::ssize(batch) == at_once) score_batch();
             });
  if (!batch.empty()) score_batch();
  for (const auto& [score, candidate] : std::move(least).sorted())
    selection.mixes.push_back(mix(candidate, score));
  return selection;
}

torch::Tensor MixPool::scores_of(const Confidence& confidence,
                                 const std::vector<int64_t>& numbers) const {
  std::vector<int64_t> i, j;
  for (const int64_t number : numbers) {
    i.push_back(pair(number).first);
    j.push_back(pair(number).second);
  }
  const auto lambdas = torch::tensor(lambdas_, torch::kFloat32);
  const auto scores =
      confidence(torch::tensor(i, torch::kInt64), torch::tensor(j, torch::kInt64), lambdas)
          .to(torch::kFloat32)
          .contiguous();
  expect(scores.dim() == 2 && scores.size(0) == std::ssize(i) && scores.size(1) == lambdas.size(0),
         "a confidence is given for every pair and lambda");
  if (scores.isnan().any().item<bool>()) {
    const int64_t at = scores.isnan().flatten().nonzero()[0].item<int64_t>();
    const int64_t row = at / std::ssize(lambdas_);
    fail("active mixup: the student's confidence in the mix of {} and {} at lambda {:.3g} is not a "
         "number; look for what broke the student",
         i[row], j[row], lambdas_[at % std::ssize(lambdas_)]);
  }
  return scores;
}

void MixPool::exclude(const std::vector<Mix>& mixes) {
  for (const Mix& mix : mixes) {
    const int64_t shift = (mix.j - mix.i + clips_) % clips_;
    const int64_t number = (shift - 1) * clips_ + mix.i;
    expect(mix.i >= 0 && mix.i < clips_ && shift >= 1 && number < pairs_,
           "a mix is of a pair of the pool");
    int64_t slot = number * slots_;
    if (slots_ > 1)
      slot += std::clamp<int64_t>(
          std::llround((mix.lambda - options_.lambda_low) / options_.lambda_step), 0, slots_ - 1);
    used_[slot] = true;
  }
}

std::vector<Mix> unixkd(const torch::Tensor& probabilities, int64_t count,
                        const std::string& uncertainty, const MixupOptions& options, Random random,
                        const Task& task) {
  const int64_t rows = probabilities.size(0);
  if (probabilities.dim() != 2 || rows < 2 || probabilities.size(1) < 2)
    fail("unixkd: needs the probabilities of 2 or more clips and 2 or more classes");
  const auto p = probabilities.to(torch::kFloat64);
  if (p.isnan().any().item<bool>())
    fail("unixkd: a probability is not a number; look for what broke the student");
  const auto uncertain = uncertainty_of(task, p, uncertainty, random).contiguous();
  const double* value = uncertain.const_data_ptr<double>();
  std::vector<int64_t> order(rows);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return value[a] > value[b]; });
  order.resize(std::min(count, rows));
  const auto lambdas = options.lambdas();
  std::vector<Mix> mixes;
  for (const int64_t i : order) {
    const int64_t other = random.below(rows - 1);
    mixes.push_back(
        {i, other < i ? other : other + 1, lambdas[random.below(std::ssize(lambdas))], value[i]});
  }
  return mixes;
}

}  // namespace distal
