# xbot in a container. Mount a folder with xbot.ini at /etc/xbot and keep
# /var/lib/xbot: docs/packaging.md.
FROM docker.io/library/python:3.13-slim AS build
COPY . /src
RUN python -m venv /opt/xbot \
 && /opt/xbot/bin/pip install --no-cache-dir /src \
 # twistd's list of plug-ins, which the bot's user cannot write.
 && /opt/xbot/bin/python -c 'from twisted.plugin import getCache; import twisted.plugins; getCache(twisted.plugins)'

FROM docker.io/library/python:3.13-slim
COPY --from=build /opt/xbot /opt/xbot
RUN groupadd --gid 64023 xbot \
 && useradd --uid 64023 --gid 64023 --home-dir /var/lib/xbot --no-create-home xbot \
 && install --directory --owner=xbot --group=xbot --mode=700 /var/lib/xbot
USER xbot
ENV PATH=/opt/xbot/bin:$PATH PYTHONUNBUFFERED=1 STATE_DIRECTORY=/var/lib/xbot
VOLUME /var/lib/xbot
# Whether it answers; its server may be away.
HEALTHCHECK --interval=60s --timeout=15s --start-period=15s \
  CMD ["sh", "-c", "xbot status --state /var/lib/xbot; test $? -ne 69"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["twistd", "--nodaemon", "--pidfile=", "xbot"]
