#!/usr/bin/env bash
# Puts Chromium in place for the browser tests where that is possible; without it they skip themselves and say so.
set -u
for name in chromium chromium-browser google-chrome; do
  command -v "$name" >/dev/null && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing Chromium for the browser tests."
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null && exit 0
fi
echo "No Chromium here, so the browser tests will be skipped. Install the package chromium to run them."
exit 0
