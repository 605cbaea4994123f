// Numbers for exp(x) = 2^n exp(r) with n = round(x / ln 2) and |r| <= ln(2) / 2.
#ifndef RECS_SCORES_EXPONENTIAL_H_
#define RECS_SCORES_EXPONENTIAL_H_

namespace recs::scores {

constexpr float kLog2OfE = 1.44269504088896341f;
// ln 2 in two parts: the product of the first with a small whole number is exact.
constexpr float kLn2High = 0.693359375f;
constexpr float kLn2Low = -2.12194440e-4f;
// The Taylor series of exp up to r^7 / 7!, from the last term to the first: it is off by less than
// r^8 / 8! = 6e-9, a tenth of float32's spacing.
constexpr int kExpTerms = 8;
constexpr float kExpCoefficients[kExpTerms] = {
    1.0f / 5040, 1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};
// Below, exp would be no normal number, and is taken for 0.
constexpr float kSmallestExponent = -87.3f;

}  // namespace recs::scores

#endif  // RECS_SCORES_EXPONENTIAL_H_
