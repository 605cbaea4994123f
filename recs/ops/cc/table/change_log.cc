#include "table/change_log.h"

#include <cstdlib>
#include <random>

namespace recs {

std::string Cursor::ToText() const {
  if (none()) return "";
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (uint8_t byte : life) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text + "-" + std::to_string(epoch);
}

bool Cursor::FromText(const std::string& text, Cursor* cursor) {
  *cursor = {};
  if (text.empty()) return true;
  if (text.size() < 34 || text.size() > 33 + 19 || text[32] != '-') return false;
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  for (size_t i = 0; i < 16; ++i) {
    const int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    cursor->life[i] = static_cast<uint8_t>(high << 4 | low);
  }
  for (size_t i = 33; i < text.size(); ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    cursor->epoch = cursor->epoch * 10 + static_cast<uint64_t>(text[i] - '0');
  }
  return !cursor->none();
}

Cursor Cursor::NewLife() {
  Cursor cursor;
  std::random_device random;
  for (uint8_t& byte : cursor.life) byte = static_cast<uint8_t>(random());
  cursor.life[0] |= 1;  // not that of no cursor
  return cursor;
}

}  // namespace recs
