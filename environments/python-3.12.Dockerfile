# environment: Python 3.12 with pip and pytest
# aliases: python3.12 python_3.12 py3.12 py312 python312
# network: debian pypi
# test: python --version | grep -F 'Python 3.12.'
# test: pip --version
# test: pytest --version
# test: python -c 'import ssl, sqlite3, lzma, yaml, requests'
# test: git --version && curl --version && jq --version

# Debian has no Python 3.12.
FROM python:3.12-slim-bookworm
RUN <<END
set -eu
printf 'path-exclude=/usr/share/%s/*\n' doc man locale > /etc/dpkg/dpkg.cfg.d/small
apt-get update
apt-get install -y --no-install-recommends ca-certificates curl git jq less procps unzip vim-tiny wget xz-utils
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt/* /var/log/*.log
useradd --create-home --shell /bin/bash sandbox
install -d -o sandbox -g sandbox /workspace
END
RUN install -d -o sandbox -g sandbox /opt/python
# Of the user, who may install what he likes there; not Debian's own, which pip leaves alone.
USER sandbox
ENV VIRTUAL_ENV=/opt/python PATH=/opt/python/bin:/usr/local/bin:/usr/bin:/bin PYTHONUNBUFFERED=1
RUN python3 -m venv /opt/python && pip install --no-cache-dir --no-compile pytest pyyaml requests
WORKDIR /workspace
CMD ["bash"]
