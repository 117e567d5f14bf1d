#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that are missing from the lists named: install_dependencies.sh build check ...
#
# A list is scripts/packages/NAME.txt. Removes nothing, asks nothing, and does nothing when all are there. Without root
# (or a sudo that needs no password) it prints the one command to run. PERIPLEX_SKIP_DEPENDENCIES=1 skips everything,
# for systems that are not Debian.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
log=$here/../build/logs/dependencies.log

fail() {
  printf 'periplex: %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf '%s\n' "$@" >&2
  exit 1
}

# Every package in the lists, once, in the lists' order.
wanted() {
  local list
  for list in "$@"; do
    sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$here/packages/$list.txt"
  done | awk '!seen[$1]++ {print $1}'
}

# Which of the packages given are not installed.
missing() {
  local installed
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p') || true
  printf '%s\n' "$@" | grep -vxF -e "$installed" || true
}

# libboost1.81-dev and any other version's headers exclude each other; which one stays is the owner's choice.
refuse_boost_conflict() {
  local other
  other=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 'libboost1.*-dev' 2>/dev/null |
    sed -n 's/^installed \(libboost1\.[0-9]*-dev\)$/\1/p' | grep -vx libboost1.81-dev | head -n 1) || true
  [ -n "$other" ] || return 0
  fail "libboost1.81-dev is needed, but $other is installed and the two exclude each other." \
    "Nothing was removed. If nothing on this machine needs $other, exchange them yourself:" "" \
    "  ${sudo_word}apt-get install libboost1.81-dev" "" \
    "(apt lists what that removes before it does anything), or build in a chroot or container."
}

# Runs a command with its output in the log, and shows on a terminal that time passes.
quietly() {
  local started=$SECONDS status=0
  "$@" >>"$log" 2>&1 </dev/null &
  local child=$!
  if [ -t 1 ]; then
    while kill -0 "$child" 2>/dev/null; do
      printf '\r  %4d s' $((SECONDS - started))
      sleep 0.5
    done
    printf '\r\033[K'
  fi
  wait "$child" || status=$?
  return $status
}

run_apt() {
  quietly "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a \
    apt-get -y -o DPkg::Lock::Timeout=300 "$@"
}

install_packages() {
  run_apt install --no-install-recommends --no-remove "$@"
}

main() {
  [ $# -gt 0 ] || fail "usage: install_dependencies.sh LIST..., with LIST one of:" "$(cd "$here/packages" && ls)"
  if [ -n "${PERIPLEX_SKIP_DEPENDENCIES:-}" ]; then
    echo "dependencies: not looked at (PERIPLEX_SKIP_DEPENDENCIES is set)"
    return
  fi
  local list packages absent
  for list in "$@"; do
    [ -r "$here/packages/$list.txt" ] || fail "there is no package list scripts/packages/$list.txt"
  done
  mapfile -t packages < <(wanted "$@")
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    fail "this is not a Debian system. Install what these Debian packages hold:" "" "  ${packages[*]}" "" \
      "and set PERIPLEX_SKIP_DEPENDENCIES=1."
  fi
  mapfile -t absent < <(missing "${packages[@]}")
  if [ ${#absent[@]} -eq 0 ]; then
    echo "dependencies: all ${#packages[@]} packages are installed"
    return
  fi

  as_root=() sudo_word=
  if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo -n) sudo_word='sudo '
  fi
  case " ${absent[*]} " in *' libboost1.81-dev '*) refuse_boost_conflict ;; esac
  if [ "$(id -u)" -ne 0 ] && ! sudo -n true 2>/dev/null; then
    fail "these Debian packages are missing, and installing them needs root. Run:" "" \
      "  sudo apt-get install -y --no-install-recommends ${absent[*]}" "" \
      "and then the same make command again. Nothing was changed."
  fi

  mkdir -p "$(dirname "$log")"
  : >"$log"
  echo "dependencies: installing ${#absent[@]} packages: ${absent[*]}"
  local started=$SECONDS
  # The package lists of a fresh system are empty or old: then ask the mirror for new ones, and try once more.
  if ! install_packages "${absent[@]}"; then
    run_apt update || fail "apt-get update failed (build/logs/dependencies.log):" "$(tail -n 15 "$log")"
    install_packages "${absent[@]}" || fail "apt-get could not install the packages without removing others or at all" \
      "(build/logs/dependencies.log):" "$(tail -n 15 "$log")"
  fi
  echo "dependencies: installed in $((SECONDS - started)) s"
}

main "$@"
