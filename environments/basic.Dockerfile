# environment: Python 3.11, Node.js 20, git, curl, jq, build tools; PyYAML, requests, click
# aliases: sandbox sandbox-basic base *sandbox-basic:local *-sandbox:latest
# network: debian pypi npm
# test: python --version | grep -F 'Python 3.11.' && pip --version
# test: node --version | grep -F 'v20.' && npm --version
# test: python -c 'import yaml, requests, click'
# test: git --version && curl --version && wget --version && jq --version && bash --version && vi --version && nano --version && htop --version
# test: printf 'int main(void) { return 0; }\n' > /tmp/a.c && make -C /tmp a && /tmp/a && g++ --version
FROM debian:bookworm AS debian
RUN <<END
set -eu
printf 'path-exclude=/usr/share/%s/*\n' doc man locale > /etc/dpkg/dpkg.cfg.d/small
apt-get update
apt-get install -y --no-install-recommends ca-certificates curl git jq less procps unzip vim-tiny wget xz-utils
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt/* /var/log/*.log
useradd --create-home --shell /bin/bash sandbox
install -d -o sandbox -g sandbox /workspace
END

# Debian's npm is several hundred packages: it fetches npm itself, which is one.
FROM debian AS npm
RUN apt-get update && apt-get install -y --no-install-recommends npm
# Programs of Node.js are in packages of npm, one for each platform.
RUN npm install --global --prefix /opt/node node@20 npm@10 && rm -rf /opt/node/lib/node_modules/node/node_modules/*/include

FROM debian
RUN <<END
set -eu
apt-get update
apt-get install -y --no-install-recommends build-essential htop nano openssh-client pkg-config python3 python3-dev python3-venv
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt/* /var/log/*.log
# What nobody links or looks at.
rm -f /usr/bin/*-lto-dump-* /usr/lib/python3.11/config-3.11-*/libpython*.a
install -d -o sandbox -g sandbox /opt/python
END
COPY --from=npm --chown=sandbox:sandbox /opt/node /opt/node
USER sandbox
ENV VIRTUAL_ENV=/opt/python PATH=/opt/python/bin:/opt/node/bin:/usr/local/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 \
    NPM_CONFIG_PREFIX=/opt/node NPM_CONFIG_UPDATE_NOTIFIER=false
RUN python3 -m venv /opt/python && pip install --no-cache-dir --no-compile click pytest pyyaml requests
WORKDIR /workspace
CMD ["bash"]
