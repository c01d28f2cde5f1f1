# The image of Plumbline: one static binary, no shell, nobody's root.
#
#   docker build --build-arg VERSION=$(git describe --tags --always) -t plumbline .

FROM node:22-bookworm-slim AS assets
WORKDIR /src/web/assets
COPY web/assets/package.json web/assets/package-lock.json ./
RUN npm ci --include=dev --ignore-scripts --no-audit --no-fund --loglevel=error
COPY web/assets/ ./
COPY web/dist/placeholder.txt /src/web/dist/
RUN npm run --silent build

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=assets /src/web/dist/ web/dist/
ARG VERSION=unknown
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/plumbline ./cmd/plumbline \
 && mkdir /out/state

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/plumbline /plumbline
COPY --from=build --chown=65532:65532 /out/state /var/lib/plumbline
# A directory: every *.yaml in it is read.
ENV PLUMBLINE_CONFIG=/etc/plumbline
WORKDIR /var/lib/plumbline
# For an SQLite ledger: sqlite:///var/lib/plumbline/plumbline.db
VOLUME ["/var/lib/plumbline"]
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD ["/plumbline", "doctor", "--ready", "http://127.0.0.1:8080"]
ENTRYPOINT ["/plumbline"]
CMD ["serve"]
