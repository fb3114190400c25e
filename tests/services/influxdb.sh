#!/usr/bin/env bash
# A real InfluxDB 2.7.12 without Docker: built from its Go module with local go and cargo (about 6 minutes on two cores,
# 3 GB of build caches, removed afterwards; 93 MB remain), then run on loopback.
#   influxdb.sh install            build into the cache folder (ENVSTREAM_SERVICES) unless it is there
#   influxdb.sh start DIR [PORT]   start with its data in DIR, wait for /health, print the pid (also in DIR/pid)
#   influxdb.sh stop DIR
set -euo pipefail
VER=v2.7.12
CACHE=${ENVSTREAM_SERVICES:-${XDG_CACHE_HOME:-$HOME/.cache}/envstream-services}/influxdb-$VER

install() {
  [ -x "$CACHE/influxd" ] && return 0
  local work=$CACHE/build need=()
  mkdir -p "$work/bin"
  command -v gcc >/dev/null || need+=(gcc libc6-dev)
  command -v pkg-config >/dev/null || need+=(pkg-config)
  if ((${#need[@]})); then apt-get update -q; DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${need[@]}"; fi
  (
    export GOPATH=$work/gopath GOMODCACHE=$work/gopath/pkg/mod GOCACHE=$work/gocache CARGO_HOME=$work/cargo-home
    export GOFLAGS="-buildvcs=false" CGO_ENABLED=1 GOTOOLCHAIN=${GOTOOLCHAIN:-local}
    if command -v rustup >/dev/null; then   # flux carries a rust-toolchain file; stay on the installed one
      RUSTUP_TOOLCHAIN=${RUSTUP_TOOLCHAIN:-$(cd / && rustup show active-toolchain | cut -d' ' -f1)}; export RUSTUP_TOOLCHAIN
    fi
    printf '#!/bin/sh\nexec "$@" --cap-lints=warn\n' > "$work/bin/rustc-cap"; chmod +x "$work/bin/rustc-cap"
    export RUSTC_WRAPPER=$work/bin/rustc-cap; unset RUSTFLAGS
    mod=$(go mod download -json "github.com/influxdata/influxdb/v2@$VER" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
    rm -rf "$work/src"; cp -r "$mod" "$work/src"; chmod -R u+w "$work/src"; cd "$work/src"
    go mod edit -toolchain=none                       # the pkg-config wrapper stops at the toolchain line
    go build -o "$work/bin/pkg-config" github.com/influxdata/pkg-config
    export PKG_CONFIG=$work/bin/pkg-config
    go build -tags sqlite_foreign_keys,sqlite_json -trimpath -ldflags "-s -w -X main.version=$VER" -o "$CACHE/influxd" ./cmd/influxd
  )
  chmod -R u+w "$work" && rm -rf "$work"
}

start() {
  local dir=$1 port=${2:-18086}
  install; mkdir -p "$dir"
  "$CACHE/influxd" --bolt-path "$dir/influxd.bolt" --sqlite-path "$dir/influxd.sqlite" --engine-path "$dir/engine" \
    --http-bind-address "127.0.0.1:$port" --reporting-disabled >"$dir/log" 2>&1 &
  echo $! > "$dir/pid"
  for _ in $(seq 100); do
    curl -fs "http://127.0.0.1:$port/health" >/dev/null && { cat "$dir/pid"; return 0; }
    sleep 0.2
  done
  echo "influxd did not answer on port $port; see $dir/log" >&2; return 1
}

stop() { local pid; pid=$(cat "$1/pid"); kill "$pid" 2>/dev/null || true; while kill -0 "$pid" 2>/dev/null; do sleep 0.2; done; }

case ${1:-} in install) install ;; start) start "${@:2}" ;; stop) stop "$2" ;; *) sed -n 2,6p "$0" >&2; exit 2 ;; esac
