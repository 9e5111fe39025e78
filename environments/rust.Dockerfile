# environment: Rust of Debian 12 with Cargo
# aliases: rustc cargo rust-lang
# network: debian
# test: rustc --version && cargo --version
# test: cargo init --vcs none --name hello /tmp/hello && cd /tmp/hello && cargo run --offline | grep Hello && cargo test --offline
# test: git --version && curl --version && jq --version
FROM debian:bookworm
RUN <<END
set -eu
printf 'path-exclude=/usr/share/%s/*\n' doc man locale > /etc/dpkg/dpkg.cfg.d/small
apt-get update
apt-get install -y --no-install-recommends ca-certificates curl git jq less procps unzip vim-tiny wget xz-utils
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt/* /var/log/*.log
useradd --create-home --shell /bin/bash sandbox
install -d -o sandbox -g sandbox /workspace
END
RUN <<END
set -eu
apt-get update
apt-get install -y --no-install-recommends cargo gcc libc6-dev pkg-config rustc
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt/* /var/log/*.log
END
USER sandbox
ENV PATH=/home/sandbox/.cargo/bin:/usr/local/bin:/usr/bin:/bin
WORKDIR /workspace
CMD ["bash"]
