# SPDX-License-Identifier: LGPL-2.1-or-later
"""The playlists of the offline site."""

PLAYLISTS = {
    'PLthree': ['tuneAAAAAAA', 'loudAAAAAAA', '-quietAAAAA'],
    # songs that are gone stay in a list, by these names
    'PLholes': ['loudAAAAAAA', 'privateAAAA', 'removedAAAA', 'tuneAAAAAAA'],
    'PLlong': ['tuneAAAAAAA', 'loudAAAAAAA', '-quietAAAAA', 'keptAAAAAAA', 'aacOnlyAAAA', 'shortAAAAAA'] * 20,
    'PLempty': [],
}
HIDDEN = {'privateAAAA': '[Private video]', 'removedAAAA': '[Deleted video]'}


def playlist(list_id, videos):
    ids = PLAYLISTS.get(list_id)
    if ids is None:
        return {'error': 'The playlist does not exist.'}
    return {'id': list_id, 'title': 'A list', 'songs': [
        {'id': i, 'title': HIDDEN.get(i) or videos[i]['title'], 'duration': videos[i].get('duration')} for i in ids]}
