load common

@test "config show names every key, its value and where it comes from" {
  printf '[limits.defaults]\nmemory = "64m"\n' > cay.toml
  CAY_LOG_FORMAT=json capture "$CAY" config show --config cay.toml --set limits.sandboxes=7
  [[ $status == 0 ]]
  [[ $output == *'limits.defaults.memory = "64m"  # cay.toml:2'* ]]
  [[ $output == *'log.format = "json"  # CAY_LOG_FORMAT'* ]]
  [[ $output == *'limits.sandboxes = 7  # --set limits.sandboxes'* ]]
  [[ $output == *'metrics.public = false  # default'* ]]
}

@test "config show is a configuration file" {
  "$CAY" config show --set limits.sandboxes=7 > all.toml
  capture "$CAY" config check all.toml
  [[ $status == 0 ]]
  capture "$CAY" config show --config all.toml --json
  [[ $(json 'o["keys"]["limits.sandboxes"]["value"]') == 7 ]]
}

@test "config check says everything that is wrong, with lines" {
  printf 'listn = ["x"]\n[limits.defaults]\nmemory = "lots"\n' > cay.toml
  capture "$CAY" config check cay.toml
  [[ $status == 125 ]]
  [[ $stderr == *"cay.toml:1:1: listn: there is no such key (did you mean listen?)"* ]]
  [[ $stderr == *"cay.toml:3:1: limits.defaults.memory:"* ]]
}

@test "serve does not start with a configuration that is wrong" {
  printf 'listn = ["x"]\n' > cay.toml
  capture "$CAY" serve --config cay.toml
  assert_error 125 "cay.toml:1:1" "did you mean listen?"
  capture "$CAY" serve --set limits.sandboxes=many
  assert_error 125 "limits.sandboxes"
  capture "$CAY" serve --config /nonexistent.toml
  assert_error 125 "/nonexistent.toml"
}

@test "a variable that is nearly one of ours is told" {
  capture env CAY_LIMITS_DEFAULT_MEMORY=1g CAY_ODD=1 "$CAY" config check
  [[ $status == 0 && $stderr == *"did you mean CAY_LIMITS_DEFAULTS_MEMORY?"* && $stderr == *"cay has no environment variable CAY_ODD"* ]]
  capture env CAY_APIKEY=x CAY_ODD=1 "$CAY" version
  [[ $status == 0 && $stderr == *"did you mean CAY_API_KEY?"* && $stderr != *CAY_ODD* ]]
}
