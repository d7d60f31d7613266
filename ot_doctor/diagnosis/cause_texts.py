"""The texts of the causes: what each means, why it breaks diarization, how it is found out, and how to fix it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ot_doctor.check import Cause


@dataclass(frozen=True)
class Meaning:
    """A cause's one short sentence, and its explanation."""

    title: str
    explanation: str


MEANINGS: Mapping[Cause, Meaning] = {
    Cause.OUT_OF_MEMORY: Meaning(
        "The worker was killed because memory ran out",
        """The machine or the container had no memory left, and the kernel ended the worker or one of its processes. The
container's OOM flag or 'signal 9' in the log shows it; exit code 137 alone may be a plain stop by hand. Raise the container's
memory limit (Docker Desktop and WSL have one of their own), or use a smaller WHISPER_MODEL.""",
    ),
    Cause.WORKER_DOWN: Meaning(
        "No diarization worker is running",
        """Diarization runs in the container of the service celery-worker, or of celery-worker-gpu-scaled. There is none, or
it is stopped, paused, restarting again and again, or unhealthy. The engine's own state of the container tells. Start the
service with 'docker compose up -d'. Where it ends again by itself, the container's last log lines say why.""",
    ),
    Cause.BROKER_UNREACHABLE: Meaning(
        "The worker cannot reach Redis",
        """Jobs reach the worker through Redis, the broker. The worker's log ends in attempts to connect to it, so it gets no
job at all; a worker that only starts before Redis connects a little later. Redis is stopped, out of memory, or wants another
password than REDIS_PASSWORD in the .env. The Hub's network is another matter. Start the service redis, then the worker.""",
    ),
    Cause.WRONG_FOLDER: Meaning(
        "The running stack was started from another folder",
        """Compose writes the folder that a stack was started from on its containers. It is not the folder that was asked for,
and the two folders' .env files differ. What is edited here never reaches the running worker. Edit the .env of the folder that
the stack runs from, or stop that stack and start it from here.""",
    ),
    Cause.ENV_UNREADABLE: Meaning(
        "The .env cannot be read",
        """The .env is missing, unreadable, a folder, or not a text that Compose accepts (UTF-16, an unterminated quote,
binary data). Compose then starts nothing, or starts the worker without a token. The running worker keeps the values it was
created with. Put the file right, or copy .env.example to .env and fill it in, then recreate the worker.""",
    ),
    Cause.ENV_SHADOWED: Meaning(
        "Another value wins over the one in the .env",
        """The .env has the value that was meant, and something else wins: a later line with the same name (an empty one too),
an 'environment:' entry of the Compose file, or a variable of the shell where Compose looks there first. It is found by
reading the .env and the Compose files as Compose does. Delete what wins, then recreate the worker.""",
    ),
    Cause.STALE_WORKER_ENV: Meaning(
        "The running worker still has an older value than the .env",
        """A container keeps the environment that it was created with. 'docker compose restart' and './opentr.sh restart-all'
do not change it. The value in the container was compared with the one that Compose would give it now, or two workers
disagree. Recreate the workers with 'docker compose up -d --force-recreate'.""",
    ),
    Cause.TOKEN_MISSING: Meaning(
        "The worker has no Hugging Face token",
        """Without a token the worker asks for the gated pyannote models anonymously, and is refused. OpenTranscribe reads
HUGGINGFACE_TOKEN and no other name; HF_TOKEN alone does not count. The container's environment was looked at first, then the
.env. Write the token to the .env and recreate the worker.""",
    ),
    Cause.TOKEN_PLACEHOLDER: Meaning(
        "The token is still the example value",
        """The value of HUGGINGFACE_TOKEN is the one that a template or a guide shows, not a token of yours. Create a token of
type Read in the settings of huggingface.co, write it to the .env, and recreate the worker.""",
    ),
    Cause.TOKEN_MALFORMED: Meaning(
        "The value of HUGGINGFACE_TOKEN is not a token",
        """A token is 'hf_' followed by letters and digits. This value has something else in it: quotes, a space, a line
break, a comment, an invisible character, the variable's name once more, or it is an organisation's token. The Hub rejects it,
and pyannote silently drops a value that does not begin with hf_. Retype the line in the .env, then recreate the worker.""",
    ),
    Cause.TOKEN_INVALID: Meaning(
        "Hugging Face rejects the token",
        """The value looks like a token, and the Hub does not know it, or no longer: it was deleted, expired, mistyped or cut
off. The Hub was asked with the worker's own token, or the log shows the refusal. Accepting agreements does not help here.
Create a new token of type Read, replace the old one in the .env, and recreate the worker.""",
    ),
    Cause.CACHE_READONLY: Meaning(
        "Models must be downloaded, and the cache is read-only",
        """The worker lacks a model, and cannot store it: the mount has ':ro', or the file system under it is mounted read-
only, which also happens after a disk error. A read-only cache that is complete is no problem. Take ':ro' off the volume in
the Compose file and recreate the worker, or mount the file system for writing again.""",
    ),
    Cause.CACHE_PERMISSION: Meaning(
        "The worker's user may not use the model cache",
        """The worker runs as user id 1000, with a group that is not 1000. It cannot read a model that is there, or cannot
write where one must be downloaded. In OpenTranscribe's log this can look like a missing agreement. The container was asked,
or owner and mode were looked at. Give the folder to user id 1000; your own user id is wrong unless it is the same.""",
    ),
    Cause.DISK_FULL: Meaning(
        "There is no room for the models",
        """The file system of the model cache has no free space, or no free inodes, and a model must still be downloaded. The
diarization models need about 40 MB; the transcription models need some gigabytes. Free space was read from the file system,
or the log says 'No space left on device'. Make room, then run the job again: a broken-off download is taken up.""",
    ),
    Cause.SCRATCH_PERMISSION: Meaning(
        "The worker's user may not use the volume for audio",
        """Since v0.5 the workers hand audio over through the volume pipeline_scratch, at /scratch/opentranscribe. It must
belong to user 1000 and group 999, and it does not. The log says 'Permission denied' for a path in it. It is not the model cache,
and token and agreements are not involved. Run scripts/fix-shared-volume-perms.sh of the OpenTranscribe folder, or give the volume
to 1000:999.""",
    ),
    Cause.TOKEN_SCOPE: Meaning(
        "The fine-grained token may not read gated models",
        """The Hub accepts the token, but it is fine-grained and lacks the permission for public gated repositories. Accepting
agreements does not help. Edit the token in the settings of huggingface.co and tick 'Read access to contents of all public
gated repos you can access', or use a token of type Read.""",
    ),
    Cause.GATED_NOT_ACCEPTED: Meaning(
        "A model's agreement is not accepted by the token's account",
        """pyannote's models are gated: each has an agreement of its own, to be accepted by the account that owns the token.
v0.4 needs speaker-diarization-community-1, which the setup guide does not name; v0.1 to v0.3 need speaker-diarization-3.1 and
segmentation-3.0. A file of the model was asked for with the worker's token. Accept it on the model's page; the token stays.""",
    ),
    Cause.GATED_PENDING: Meaning(
        "Access to a model was asked for and is not granted yet",
        """The account that owns the token has asked for access, and the model's authors have not answered yet. pyannote's own
models grant it at once, so a waiting request may belong to another model. Wait for the grant, then run the job again.""",
    ),
    Cause.REPO_NOT_FOUND: Meaning(
        "A model does not exist under that name",
        """The Hub knows no repository, revision or file of that name, or it is private. OpenTranscribe's own model names are
fixed, so an edited setting, an older release or a moved model is behind it. Use the published image of your release.""",
    ),
    Cause.OFFLINE_CACHE_MISSING: Meaning(
        "Offline mode is on, and a model is not completely cached",
        """HF_HUB_OFFLINE (or a similar setting) forbids downloads, so every file of the model must be in the cache. Some are
not: they were never copied, or a copy lost the links from 'snapshots' to 'blobs'. Each needed file was looked for. Copy the
whole models--… folder from a connected machine, with its links (tar, or rsync -a), or switch offline mode off.""",
    ),
    Cause.MODEL_CORRUPT: Meaning(
        "A cached model file is not a model",
        """The file is there under the right name, so it is used as it is, but it holds something else: a git-lfs pointer, an
HTML page, nothing, or only a part. Size and first bytes were looked at, or loading it failed in the log. Remove that model's
folder from the cache and run the job again: it is downloaded anew.""",
    ),
    Cause.CACHE_INCOMPLETE: Meaning(
        "The model cache is incomplete",
        """A download or a copy broke off, links lead nowhere, or the models lie in a folder where no release looks: the setup
guide's own tar recipe unpacks them under home/…/.cache/torch/pyannote. Each file that the release needs was looked for. Move
misplaced models where they belong; a broken-off download is completed by the next job, if the Hub can be reached.""",
    ),
    Cause.CACHE_MISSING: Meaning(
        "The models are not cached yet",
        """None of the model's files is in the cache. That is normal before the first job, which downloads about 40 MB with
the worker's token. It is a failure only where nothing would fetch them.""",
    ),
    Cause.CACHE_NOT_MOUNTED: Meaning(
        "Downloaded models are lost with the container",
        """The folder where the worker keeps its models lies on no volume, or not under MODEL_CACHE_DIR. Jobs work, but each
new container downloads the models again, and a folder that was prepared elsewhere is not used. The container's mounts were
compared with where its release looks. Remove the variable that moves the cache, or mount that folder; then recreate.""",
    ),
    Cause.NETWORK_DNS: Meaning(
        "The name of the Hugging Face Hub is not resolved",
        """The worker, or this machine, gets no address for the Hub. The container uses the engine's name server, which may
differ from the machine's (VPN, company network). Set 'dns' in /etc/docker/daemon.json or in the Compose file, and try again.""",
    ),
    Cause.NETWORK_PROXY: Meaning(
        "A proxy or a policy answers instead of the Hugging Face Hub",
        """A proxy setting is wrong, the proxy refuses, or a log-in page or company policy answers in the Hub's place. Nothing
can be said about token and agreements then. Put HTTP_PROXY, HTTPS_PROXY and NO_PROXY right, or have the Hub allowed.""",
    ),
    Cause.NETWORK_TLS: Meaning(
        "The encrypted connection to the Hugging Face Hub fails",
        """The certificate is not accepted, or the handshake breaks. Usually a company proxy inspects the traffic with a
certificate of its own. Mount that certificate into the worker and name it in REQUESTS_CA_BUNDLE and SSL_CERT_FILE.""",
    ),
    Cause.NETWORK_REFUSED: Meaning(
        "The connection to the Hugging Face Hub is refused or cut",
        """A firewall, a router or a missing route ends the connection. Large files come from other hosts (*.xethub.hf.co), so
small files may work while weights do not: allow those hosts, or set HF_HUB_DISABLE_XET=1.""",
    ),
    Cause.NETWORK_TIMEOUT: Meaning(
        "The Hugging Face Hub does not answer in time",
        """The connection is opened or read in vain until its time is over: a firewall that drops packets, or a very slow
line. Test it from inside the container; the machine itself may have another way out.""",
    ),
    Cause.RATE_LIMITED: Meaning(
        "The Hugging Face Hub limits the number of requests",
        """The Hub answered 429: too many requests from this address or account. Nothing is wrong with token or agreements.
Wait some minutes and run the job again; requests with a token have a higher limit.""",
    ),
    Cause.HUB_UNAVAILABLE: Meaning(
        "The Hugging Face Hub has an outage",
        """The Hub answered with a server error (5xx). Nothing is wrong with the installation, and nothing can be concluded
about token and agreements. See https://status.huggingface.co and run the job again later.""",
    ),
    Cause.NATIVE_UNAVAILABLE: Meaning(
        "The native diarization engine is not available",
        """Since v0.5 a container of its own, diar-native, does the diarization. It is stopped, not ready, or has no models.
PyAnnote in the worker stands in, slower, unless ENGINE_DIARIZER_REQUIRE_SIDECAR=true forbids it: then every job fails. Start the
container; where its models are missing, the log of the service backend says why they were not made ('provisioning').""",
    ),
    Cause.LIB_MISMATCH: Meaning(
        "The worker's libraries do not fit together",
        """A module is missing, or one library calls another in a way that it no longer knows. It happens in images that were
built locally, later than the release. It has nothing to do with token or agreements. Use the published image of your release.""",
    ),
    Cause.KNOWN_DEFECT: Meaning(
        "The installed release has a defect that a later one has fixed",
        """The log shows the words of a defect of OpenTranscribe itself, which no setting, token or agreement changes. A later
release has fixed it. Update to that release, and see first which model agreements it needs.""",
    ),
    Cause.HARDWARE_UNSUPPORTED: Meaning(
        "The processor or the GPU lacks what the image needs",
        """The image's libraries were built for newer hardware, or for older: the processor has no AVX, the GPU's compute
capability (sm_…) is not among those that PyTorch was built for, or it cannot calculate with float16. Use the image that is made
for the GPU, let the worker use the CPU, or another machine. Token and agreements are not involved.""",
    ),
    Cause.GPU_LIBRARY: Meaning(
        "CUDA or cuDNN libraries are missing or do not match",
        """PyTorch or CTranslate2 cannot load a CUDA or cuDNN library, or the library does not know this GPU. An
LD_LIBRARY_PATH in the .env hides the image's own libraries. Remove it, update the driver, or use the image that is made for
the GPU.""",
    ),
    Cause.GPU_UNAVAILABLE: Meaning(
        "A GPU is configured and the worker does not have it",
        """The Compose files or the settings ask for a GPU, but the container was given none, the engine cannot provide it, or
PyTorch sees none. Install the NVIDIA container toolkit, name a device that exists ('nvidia-smi -L'), and recreate the worker.""",
    ),
    Cause.GPU_OUT_OF_MEMORY: Meaning(
        "The GPU's memory ran out",
        """The models and the audio did not fit, and no smaller batch saved the run. Set DIARIZATION_BATCH_SIZE=8 (v0.4) or a
smaller WHISPER_MODEL, end other programs on the GPU, and recreate the worker. Token and agreements are not involved.""",
    ),
    Cause.WORKER_CRASHED: Meaning(
        "The worker's process crashed",
        """A library crashed in machine code: the process was ended by a signal that is not the memory killer's (SEGV, ABRT,
BUS, FPE). Libraries that do not fit together, a damaged driver or faulty memory are behind it. Use the published image
unchanged, update the driver, and see whether the same file crashes it again.""",
    ),
    Cause.TIME_LIMIT: Meaning(
        "A time limit ended the job",
        """Celery, or the application, ended the job because it took longer than is allowed. What made it slow is not said: a
CPU instead of a GPU, a GPU that other jobs hold, a download that hangs, or a very long file. See which engine and device the
worker uses, and try a shorter file.""",
    ),
    Cause.SPEAKERS_CONFIG: Meaning(
        "The speaker limits are not usable",
        """MIN_SPEAKERS, MAX_SPEAKERS and NUM_SPEAKERS must be whole numbers with MIN not above MAX. The worker reads them
with Python's int() while it starts: anything else, such as a comment behind the number, ends it. Write a bare number to the
.env and recreate the worker. v0.1 ignores the limits; in v0.4 the settings of each user win over them.""",
    ),
    Cause.DIARIZATION_DISABLED: Meaning(
        "Diarization is switched off",
        """The job ran with diarization off, so everything was given to SPEAKER_00. That is a setting of the user or the file
in the application, not in the .env. Switch it on under Settings, Transcription, 'Speaker Diarization'.""",
    ),
    Cause.AUDIO_UNREADABLE: Meaning(
        "The audio could not be decoded",
        """The file is damaged, empty, or of a kind that the worker's ffmpeg does not read. Try another file; where that
works, the first file is the problem, not the installation.""",
    ),
    Cause.TOKEN_EXPOSED: Meaning(
        "The token can be read by others",
        """The .env can be read by every user of the machine or is tracked by git, a log line shows the token, or a variable
that browsers receive holds it. Close the gap first, then replace the token: what was once readable may have been copied.""",
    ),
    Cause.TOKEN_TOO_POWERFUL: Meaning(
        "The token may write, and reading is enough",
        """Diarization only downloads. A token that may also write lets whoever gets hold of it change your repositories.
Create a token of type Read, replace this one, and delete it.""",
    ),
    Cause.UNRECOGNISED: Meaning(
        "The last diarization failed for a reason that is not known here",
        """The worker's log shows a failed attempt, and neither a known log line nor anything else that was looked at explains
it. The decisive lines are shown: search for them in the issues of OpenTranscribe and pyannote.audio, or report them there.""",
    ),
}
