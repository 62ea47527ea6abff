# One image for every service; docker-compose.yml says which command runs where.
FROM python:3.12-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY requirements.in requirements.lock pyproject.toml README.md Makefile ./
COPY hall hall
COPY kernel kernel
COPY streamer streamer
COPY transcode transcode
COPY vod vod
COPY player player
RUN make player

FROM python:3.12-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /data --create-home hall \
    && apt-get update && apt-get install -y --no-install-recommends curl fonts-noto-cjk && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=build /app/.venv .venv
COPY --from=build /app/player/dist player/dist
COPY pyproject.toml ./
COPY hall hall
COPY kernel kernel
COPY streamer streamer
COPY transcode transcode
COPY vod vod
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 HALL_DATA=/data HALL_LOG_STYLE=json HALL_PLAYER_DIR=/app/player/dist
USER hall
VOLUME /data
ENTRYPOINT ["hall"]
