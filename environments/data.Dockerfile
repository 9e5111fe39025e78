# environment: Python 3.11 for data: numpy, pandas, matplotlib, scipy, scikit-learn, a Jupyter kernel
# aliases: data-science datascience jupyter
# network: debian pypi
# test: python --version | grep -F 'Python 3.11.'
# test: python -c 'import numpy; assert numpy.arange(6).reshape(2, 3).sum() == 15'
# test: python -c 'import pandas; assert pandas.DataFrame({"a": [1, 2]}).a.mean() == 1.5'
# test: python -c 'import matplotlib.pyplot as p; p.plot([1, 2]); p.savefig("/tmp/a.png")' && test -s /tmp/a.png
# test: python -c 'import scipy.optimize as o; assert abs(o.brentq(lambda x: x * x - 2, 0, 2) - 2 ** .5) < 1e-9'
# test: python -c 'from sklearn.linear_model import LinearRegression as L; assert abs(L().fit([[0], [1]], [0, 2]).coef_[0] - 2) < 1e-9'
# test: python -m ipykernel --version && jupyter kernelspec list | grep python3
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
apt-get install -y --no-install-recommends python3 python3-venv
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt/* /var/log/*.log
install -d -o sandbox -g sandbox /opt/python
END
# Of the user, who may install what he likes there; not Debian's own, which pip leaves alone.
USER sandbox
ENV VIRTUAL_ENV=/opt/python PATH=/opt/python/bin:/usr/local/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 MPLBACKEND=Agg
RUN python3 -m venv /opt/python && pip install --no-cache-dir --no-compile pytest pyyaml requests
RUN pip install --no-cache-dir --no-compile ipykernel matplotlib numpy pandas scikit-learn scipy
WORKDIR /workspace
CMD ["bash"]
