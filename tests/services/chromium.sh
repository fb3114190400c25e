#!/usr/bin/env bash
# Chromium and fonts for Chinese, for the tests of the desk and its pictures: Debian's packages, by apt-get when root.
#   chromium.sh install
set -euo pipefail
[ "${1:-}" = install ] || { echo "chromium.sh install" >&2; exit 2; }
missing=()
command -v chromium >/dev/null || missing+=(chromium)
[ -n "$(fc-list :lang=zh-cn 2>/dev/null | head -1)" ] || missing+=(fontconfig fonts-noto-cjk)
[ ${#missing[@]} -gt 0 ] || { echo "already installed: $(command -v chromium), fonts for Chinese"; exit 0; }
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || { echo "the desk's tests need: apt-get install ${missing[*]}" >&2; exit 1; }
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
echo "installed: ${missing[*]}"
