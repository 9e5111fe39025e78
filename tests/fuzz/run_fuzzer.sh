#!/usr/bin/env bash
# usage: run_fuzzer.sh PROGRAM CORPUS_DIRECTORY
# Runs one libFuzzer program for CAY_FUZZ_SECONDS (10) from a copy of its corpus, so that the tree
# stays as it is. An input that breaks it is left in the current directory, and named.
set -euo pipefail
program=$1 corpus=$2
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
seeds=()
[[ ! -d $corpus ]] || seeds=("$corpus")
"$program" -max_total_time="${CAY_FUZZ_SECONDS:-10}" -timeout=10 -rss_limit_mb=2048 -verbosity=0 \
  -print_final_stats=1 -artifact_prefix="$PWD/" "$work" "${seeds[@]}"
