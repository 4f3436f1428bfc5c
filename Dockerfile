# Judging on macOS and Windows, or on a cluster:
#   docker build -t codefeedback .
#   docker run --rm -it --security-opt seccomp=unconfined --security-opt apparmor=unconfined codefeedback
# The two options let programs be jailed in namespaces of their own inside the container.
FROM python:3.11-slim-bookworm

RUN apt-get update \
 && apt-get install -y --no-install-recommends bubblewrap make \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --home-dir /home/codefeedback codefeedback \
 && chmod 755 /home/codefeedback
COPY --chown=codefeedback . /home/codefeedback/codefeedback
USER codefeedback
WORKDIR /home/codefeedback/codefeedback
RUN make setup
ENV PATH=/home/codefeedback/codefeedback/.venv/bin:$PATH
CMD ["codefeedback", "doctor"]
