# environment: Node.js 22 with npm
# aliases: node22 nodejs22 nodejs-22 node_22 nodejs_22
# network: debian npm
# test: node --version | grep -F 'v22.'
# test: npm --version
# test: node -e 'require("crypto").createHash("sha256"); require("https")'
# test: mkdir -p /tmp/package && cd /tmp/package && npm init -y && npm pkg set scripts.test='node --version' && npm test
# test: git --version && curl --version && jq --version
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
RUN npm install --global --prefix /opt/node node@22 npm@10 && rm -rf /opt/node/lib/node_modules/node/node_modules/*/include

FROM debian
COPY --from=npm --chown=sandbox:sandbox /opt/node /opt/node
USER sandbox
ENV PATH=/opt/node/bin:/usr/local/bin:/usr/bin:/bin NPM_CONFIG_PREFIX=/opt/node NPM_CONFIG_UPDATE_NOTIFIER=false
WORKDIR /workspace
CMD ["bash"]
