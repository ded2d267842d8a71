# An image with everything that the scripts need, from wheels alone:
#   docker build -t gpnerf .
#   docker run --rm --gpus all --shm-size 8g -v "$PWD/out:/gpnerf/out" gpnerf python train.py --config configs/rooms.txt
# Without a GPU, leave out --gpus all.
FROM python:3.12-slim

WORKDIR /gpnerf
# Packages first: a change of the code does not install them anew. The last line of the requirements is the code itself.
COPY requirements.txt ./
RUN grep -v '^-e' requirements.txt > packages.txt \
    && pip install --no-cache-dir --only-binary :all: -r packages.txt
COPY . .
RUN pip install --no-cache-dir --no-deps -e .

ENV GPNERF_CACHE=/gpnerf/out/cache
CMD ["python", "eval.py", "--config", "configs/rooms.txt", "--checkpoint", "rooms"]
