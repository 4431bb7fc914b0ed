#!/usr/bin/env bash
# Puts in place what some tests drive: Chromium (the page), redis-server (workers), openssl (certificates) and libfaketime
# (clocks that jump). Where that is not possible these tests skip themselves and say so.
set -u

present() {
  for name in "$@"; do
    command -v "$name" >/dev/null && return 0
  done
  return 1
}

wanted=()
present chromium chromium-browser google-chrome || wanted+=(chromium)
present redis-server || wanted+=(redis-server)
present openssl || wanted+=(openssl)
present faketime || wanted+=(faketime)
[ ${#wanted[@]} = 0 ] && exit 0
if [ "$(id -u)" = 0 ] && present apt-get; then
  echo "Installing for the tests: ${wanted[*]}."
  export DEBIAN_FRONTEND=noninteractive
  # the server that the package would start by itself is not wanted: tests start their own
  export RUNLEVEL=1
  apt-get update -qq && apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null && exit 0
fi
echo "Missing here: ${wanted[*]}. The tests that need it will be skipped; install the package to run them."
exit 0
