load common

@test "doctor's exit code says whether the default sandbox is fully enforced" {
  capture "$CAY" doctor --json
  [[ $stderr == "" ]]
  case $(json 'o["fully_enforced"]') in
    True) [[ $status == 0 ]] ;;
    False) [[ $status == 1 ]] ;;
    *) false ;;
  esac
}

@test "doctor names a reason and a remedy for each gap" {
  capture "$CAY" doctor --json
  [[ $(json 'all(p["why"] and p["remedy"] for p in o["protections"] if p["status"] != "enforced")') == True ]]
  [[ $(json 'len(o["protections"]) > 10') == True ]]
}

@test "doctor tells an ordinary user what is not enforced" {
  need_root
  # Of its own: this user may not be able to enter the directories of the build and of bats.
  directory=$(mktemp -d)
  chmod 0777 "$directory"
  cp -- "$CAY" "$directory/cay"
  CAY_STATE_DIR=$directory/state capture \
    setpriv --reuid 65534 --regid 65534 --clear-groups "$directory/cay" doctor
  rm -rf -- "$directory"
  [[ $status == 1 && $output == *"ordinary, uid 65534"* && $output == *"mend it: "* ]]
  [[ $output == *"user ids of its own"* ]]
}

@test "doctor says in which ways a sandbox can have a network" {
  capture "$CAY" doctor
  [[ $output == *$'\nNETWORKS\n'*"BPF sk_lookup"*"nftables redirect"*"Sandboxes can have "* ]]
  capture "$CAY" doctor --json
  [[ $(json '[p["name"] for p in o["protections"] if p["group"] == "networks"] == ["network_lookup", "network_redirect"]') == True ]]
}

@test "doctor changes nothing" {
  "$CAY" doctor > before || :
  cat /proc/self/mounts > mounts
  "$CAY" doctor > after || :
  cmp before after
  cmp mounts /proc/self/mounts
}

@test "doctor shows no character beyond ASCII where the locale has none" {
  LC_ALL=C capture "$CAY" doctor
  [[ -z $(LC_ALL=C tr -d '\000-\177' <<<"$output") ]]
}
